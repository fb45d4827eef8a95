import * as Y from 'yjs'
import { Random } from '../../support/random.ts'
import { markEnd, recordUpdates, textOf } from './text.ts'
import { randomText } from './words.ts'

/** A long document as its authors wrote it. */
export interface BigDocument {
  /** In order; each is what one author wrote in one go. */
  readonly updates: readonly Uint8Array[]
  readonly text: string
  readonly encodedBytes: number
}

const AUTHORS = 40
/** Later edits split earlier ones, so that the document gets larger than the sum of the updates. */
const WRITTEN_SHARE = 0.89
const EDITS_A_SESSION = 400
const FIRST_CLIENT_ID = 100_000

/**
 * Writes until the encoded document has about `bytes`: authors take turns, and in their session go from place to
 * place, typing mostly a few words, sometimes pasting a paragraph, and deleting now and then.
 */
export function bigDocument(bytes: number): BigDocument {
  const random = new Random(12)
  const document = new Y.Doc()
  const text = textOf(document)
  let written = 0
  const updates = recordUpdates(document, () => {
    document.on('update', (update: Uint8Array) => {
      written += update.length
    })
    while (written < bytes * WRITTEN_SHARE) {
      document.clientID = FIRST_CLIENT_ID + random.below(AUTHORS)
      document.transact(() => writeSession(text, random))
    }
  })
  return {
    updates: [...updates, markEnd()],
    text: text.toString(),
    encodedBytes: Y.encodeStateAsUpdate(document).length,
  }
}

function writeSession(text: Y.Text, random: Random): void {
  const place = random.below(text.length + 1)
  for (let edit = 0; edit < EDITS_A_SESSION; edit += 1) {
    const at = Math.min(text.length, Math.max(0, place + random.below(20_000) - 10_000))
    const kind = random.below(20)
    if (kind === 0) text.insert(at, randomText(random, 300 + random.below(600)))
    else if (kind < 4) text.delete(at, Math.min(text.length - at, 1 + random.below(30)))
    else text.insert(at, randomText(random, 1 + random.below(40)))
  }
}
