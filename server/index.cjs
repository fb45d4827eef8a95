'use strict'

// For `require`: the same server, with the copy of Yjs that `require('yjs')` gives.
const Y = require('yjs')
const { CoeditError } = require('./dist/errors.js')
const { serversWith } = require('./dist/server.js')

module.exports = { CoeditError, Y, createServer: serversWith(Y) }
