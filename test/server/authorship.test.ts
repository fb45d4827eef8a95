import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import {
  type Brought,
  decodeShares,
  decodeWriters,
  encodeAuthors,
  encodeNews,
  encodeWriter,
  KnownState,
  scanUpdate,
  takeNews,
  type Writer,
} from '../../server/src/protocol/update/update.ts'

const ADA = { name: 'Ada 😀', isClaimed: true }
const EVE = { name: 'eve', isClaimed: false }

/** Edits of documents that know each other's, each brought by somebody, and the entry that they become. */
function entryOf(edits: readonly (readonly [Writer | null, Y.Doc, (text: Y.Text) => void])[]) {
  const known = new KnownState()
  const parts: Brought[] = []
  for (const [writer, doc, edit] of edits) {
    const before = Y.encodeStateVector(doc)
    edit(doc.getText('text'))
    const update = Y.encodeStateAsUpdate(doc, before)
    for (const [, other] of edits) Y.applyUpdate(other, update)
    const { news } = takeNews(scanUpdate(update), known)
    if (news) parts.push({ news, writer })
  }
  return { update: encodeNews(parts.map(({ news }) => news)), authors: encodeAuthors(parts) }
}

function newDoc(clientID: number): Y.Doc {
  const doc = new Y.Doc()
  doc.clientID = clientID
  return doc
}

function plain(ids: ReadonlyMap<number, number[]>) {
  return Object.fromEntries(ids)
}

describe('what is told of who wrote an entry', () => {
  test('is nothing where nobody is known, and a name where one wrote all of it', () => {
    const doc = newDoc(1)
    const nobody = entryOf([[null, doc, (text) => text.insert(0, 'x')]])
    expect(nobody.authors).toEqual(new Uint8Array())
    expect(decodeWriters(nobody.authors)).toEqual([null])
    const { update, authors } = entryOf([
      [ADA, newDoc(2), (text) => text.insert(0, 'abc')],
      [{ ...ADA }, newDoc(3), (text) => text.delete(0, 1)],
    ])
    expect(authors).toEqual(encodeWriter(ADA))
    expect(decodeWriters(authors)).toEqual([ADA])
    expect(decodeShares(authors, update).map(({ inserted, deleted }) => [plain(inserted), plain(deleted)])).toEqual([
      [{ 2: [0, 3] }, { 2: [0, 1] }],
    ])
  })

  test('is by client what is whose, where each client is one writer', () => {
    const [one, two, three] = [newDoc(10), newDoc(30), newDoc(20)]
    const { update, authors } = entryOf([
      [ADA, one, (text) => text.insert(0, 'abc')],
      [EVE, two, (text) => text.insert(3, 'de')],
      [null, three, (text) => text.insert(0, 'f')],
      [EVE, two, (text) => text.delete(1, 1)],
      [ADA, one, (text) => text.insert(0, 'g')],
    ])
    expect(decodeWriters(authors)).toEqual([ADA, EVE, null])
    expect(decodeShares(authors, update).map(({ inserted, deleted }) => [plain(inserted), plain(deleted)])).toEqual([
      [{ 10: [0, 4] }, {}],
      [{ 30: [0, 2] }, { 10: [0, 1] }],
      [{ 20: [0, 1] }, {}],
    ])
  })

  test('is by ids, where two have brought what one client wrote, or deleted of it', () => {
    const [one, two] = [newDoc(1), newDoc(2)]
    const { update, authors } = entryOf([
      [ADA, one, (text) => text.insert(0, 'abcd')],
      [EVE, one, (text) => text.insert(0, 'e')],
      [EVE, two, (text) => text.delete(1, 1)],
      [ADA, two, (text) => text.delete(2, 1)],
    ])
    expect(decodeShares(authors, update).map(({ inserted, deleted }) => [plain(inserted), plain(deleted)])).toEqual([
      [{ 1: [0, 4] }, { 1: [2, 3] }],
      [{ 1: [4, 5] }, { 1: [0, 1] }],
    ])
  })

  test('is damaged where it does not fit the entry', () => {
    const { update, authors } = entryOf([
      [ADA, newDoc(1), (text) => text.insert(0, 'a')],
      [EVE, newDoc(2), (text) => text.insert(0, 'b')],
    ])
    for (let length = 1; length < authors.length; length++) {
      const cut = authors.subarray(0, length)
      expect(() => decodeShares(cut, update), String(length)).toThrow(
        expect.objectContaining({ code: 'STORAGE_DAMAGED' }),
      )
    }
  })
})
