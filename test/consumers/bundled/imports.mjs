import { connect } from '@coedit/client'
import { useConnection } from '@coedit/client/react'
import * as Y from 'yjs'

globalThis.imported = [connect, useConnection, Y]

import './requires.cjs'
