import * as Y from 'yjs'
import { Random } from '../../support/random.ts'
import { recordUpdates, textOf } from './text.ts'
import { randomText } from './words.ts'

/** Somebody who types: each update inserts one character and takes one clock, from 0 on. */
export interface Typist {
  readonly clientId: number
  readonly updates: readonly Uint8Array[]
}

/** Types `edits` characters in one go, somewhere in the text that `base` holds. */
export function typist(clientId: number, base: Uint8Array, edits: number): Typist {
  const random = new Random(clientId)
  const document = new Y.Doc()
  document.clientID = clientId
  Y.applyUpdate(document, base)
  const text = textOf(document)
  const start = random.below(text.length + 1)
  const updates = recordUpdates(document, () => {
    ;[...randomText(random, edits)].forEach((character, index) => {
      text.insert(start + index, character)
    })
  })
  return { clientId, updates }
}

/** A document of `length` characters, written at once, for others to type in. */
export function preparedText(length: number): Uint8Array {
  const document = new Y.Doc()
  document.clientID = 1
  textOf(document).insert(0, randomText(new Random(1), length))
  return Y.encodeStateAsUpdate(document)
}
