import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import {
  decodeStateVector,
  holdBack,
  isParted,
  joinPieceBytes,
  mergeEntries,
  splitDifference,
  splitSnapshot,
} from '../../server/src/protocol/update/update.ts'
import { bytes } from '../support/bytes.ts'
import { contentOf, docOf, Editor, isPending } from '../support/editing.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'

const seeds = fc.integer({ min: 0, max: 2 ** 31 })
const sizes = fc.integer({ min: 400, max: 1500 })
const FROM_SERVER = 'server'

/** A document that several clients edited, and one that somebody left with in between. */
function editedDoc(seed: number): { doc: Y.Doc; early: Uint8Array } {
  const random = new Random(seed)
  const doc = docOf()
  const editors = [doc, docOf(), docOf(), docOf()].map((doc) => new Editor(doc, random))
  let early = Y.encodeStateAsUpdate(doc)
  for (let i = 0; i < 60; i++) {
    random.pick(editors).edit()
    if (random.chance(0.3)) Y.applyUpdate(random.pick(editors).doc, Y.encodeStateAsUpdate(random.pick(editors).doc))
    if (random.chance(0.05)) early = Y.encodeStateAsUpdate(random.pick(editors).doc)
  }
  for (const { doc: other } of editors) Y.applyUpdate(doc, Y.encodeStateAsUpdate(other))
  return { doc, early }
}

/** What happens to a document that is brought these updates one after the other. */
function received(doc: Y.Doc, updates: readonly Uint8Array[]) {
  let transactions = 0
  const own: Uint8Array[] = []
  doc.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin === FROM_SERVER) transactions++
    else own.push(update)
  })
  for (const update of updates) Y.applyUpdate(doc, update, FROM_SERVER)
  return { transactions, own: own.length, content: contentOf(doc), isPending: isPending(doc) }
}

describe('a difference in pieces', () => {
  test('is one transaction, and does to a client what one update does', () => {
    fc.assert(
      fc.property(seeds, sizes, (seed, maxBytes) => {
        const { doc, early } = editedDoc(seed)
        for (const state of [bytes(0, 0), early, Y.encodeStateAsUpdate(doc)]) {
          const [reader, other] = [docOf(state), docOf(state)]
          const stateVector = Y.encodeStateVector(reader)
          const pieces = splitDifference([Y.encodeStateAsUpdate(doc)], decodeStateVector(stateVector), maxBytes)
          const atOnce = received(other, [Y.encodeStateAsUpdate(doc, stateVector)])
          const inPieces = received(reader, pieces)
          expect({ ...inPieces, own: atOnce.own }).toEqual(atOnce)
          // Yjs deletes formatting that has no effect. What it finds of that in one update it may leave in pieces.
          expect(inPieces.own).toBeLessThanOrEqual(atOnce.own)
          expect(atOnce.isPending).toBe(false)
        }
      }),
      { numRuns: runs(30), examples: [[777453810, 408]] },
    )
  })
})

describe('a snapshot', () => {
  test('has prefixes that are complete, and is one transaction for who gets its first chunk last', () => {
    fc.assert(
      fc.property(seeds, sizes, (seed, maxBytes) => {
        const { doc } = editedDoc(seed)
        const update = Y.encodeStateAsUpdate(doc)
        const chunks = splitSnapshot(update, maxBytes)
        const damaged = docOf()
        for (const chunk of chunks) {
          Y.applyUpdate(damaged, chunk)
          expect(isPending(damaged)).toBe(false)
        }
        expect(docOf(mergeEntries(chunks)).store.clients.size).toBe(doc.store.clients.size)
        expect(isParted(chunks)).toBe(chunks.length > 1)
        if (chunks.length === 1) return
        const [, held, ...rest] = chunks
        for (const piece of rest) expect(holdBack(piece, maxBytes)).toEqual({ pieces: [piece], held: bytes(0, 0) })
        expect(received(docOf(), [...rest, held])).toEqual(received(docOf(), [update]))
      }),
      { numRuns: runs(30) },
    )
  })
})

test('a document makes about eight pieces, and none below the size of a chunk', () => {
  expect(joinPieceBytes(100, 1000)).toBe(1000)
  expect(joinPieceBytes(160_000, 1000)).toBe(20_000)
})
