/** Edits a document of the server that the environment names. */
module.exports = async function edit(options) {
  const { connect, Y } = require('@coedit/client')
  expect(Y.Doc).toBe(require('yjs').Doc)
  const connection = connect({
    url: process.env.COEDIT_URL,
    document: 'tested by jest',
    user: { id: 'a', name: 'Ann' },
    ...options,
  })
  await connection.whenSynced
  connection.text.insert(0, 'a')
  await connection.flush()
  expect(connection.state.saved).toBe(true)
  return connection
}
