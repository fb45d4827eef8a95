import * as Y from 'yjs'
import { loadTrace, replayLocally } from '../../support/traces.ts'
import { documentFrom, markEnd } from './text.ts'

/** What one person wrote, as updates in order, and the text and the encoded document that they end in. */
export interface WrittenTrace {
  readonly name: string
  readonly edits: readonly Uint8Array[]
  readonly text: string
  readonly encodedBytes: number
}

/** The first `limit` edits of a recorded trace, or of a generated one where there is none of that name. */
export function writtenTrace(name: string, limit: number): WrittenTrace {
  const trace = loadTrace(name, 1)
  const replay = replayLocally({ ...trace, transactions: trace.transactions.slice(0, limit) })
  const edits = [...replay.edits.map(({ update }) => update), markEnd()]
  return { name, edits, text: replay.text, encodedBytes: Y.encodeStateAsUpdate(documentFrom(edits)).length }
}
