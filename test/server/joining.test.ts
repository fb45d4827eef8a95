import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { DocumentLog } from '../../server/src/document/document-log.ts'
import { EncodedPiece } from '../../server/src/document/piece.ts'
import { LoadedSnapshot } from '../../server/src/document/snapshot.ts'
import { scanUpdate, splitSnapshot, splitUpdate } from '../../server/src/protocol/update/update.ts'
import { docOf, isPending } from '../support/editing.ts'
import { Writer } from '../support/edits.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { connectRaw } from '../support/raw-client.ts'
import { withStored } from '../support/stored-document.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const document = 'notes'
const CHUNK_BYTES = 1024
const PARAGRAPH = '0123456789'.repeat(30)
const UNKNOWN = { stateVector: null, deleteSet: null }

/** A log of a snapshot and of entries after it, each larger than what is one piece. */
function longLog() {
  const writer = new Writer()
  for (let i = 0; i < 20; i++) writer.insert(PARAGRAPH)
  const snapshot = new LoadedSnapshot({ seq: 1, chunks: splitSnapshot(writer.everything, CHUNK_BYTES), ...UNKNOWN })
  const log = new DocumentLog({ head: 1, tail: [] }, snapshot, CHUNK_BYTES)
  const append = () => log.push(new EncodedPiece(writer.insert(PARAGRAPH).update, log.head + 1))
  for (let i = 0; i < 20; i++) append()
  const whole = () => {
    return log.joining.whole({ snapshot, entries: log.entriesAfter(1), head: log.head })
  }
  return { writer, append, whole }
}

test('all who join at the same position share the same bytes, and those who join later most of them', () => {
  const { append, whole, writer } = longLog()
  const updates = whole().map(({ update }) => update)
  expect(updates.length).toBeGreaterThan(8)
  const shared = whole().filter(({ update }) => updates.includes(update))
  expect(shared).toHaveLength(updates.length)
  append()
  const later = whole()
  // Another last group of entries, and another last piece.
  expect(later.filter(({ update }) => !updates.includes(update)).length).toBeLessThanOrEqual(2)
  expect(
    docOf(...later.map(({ update }) => update))
      .getText('text')
      .toString(),
  ).toBe(writer.text.toString())
})

/** A document of which the text is plain and another one formatted, with something deleted in both. */
function mixed(): Y.Doc {
  const doc = new Y.Doc()
  for (let i = 0; i < 30; i++) {
    doc.getText('text').insert(0, `${PARAGRAPH} ${i}`)
    doc.getText('rich').insert(0, PARAGRAPH, { bold: i % 2 === 0 ? true : null })
  }
  doc.getText('text').delete(7, 500)
  doc.getText('rich').delete(7, 500)
  return doc
}

/** A server that has this snapshot stored. */
async function serverOf(chunks: readonly Uint8Array[]) {
  const data = await temporaryDirectory(onTestFinished)
  await withStored(data, async (storage) => {
    await storage.append([{ document, update: chunks[0], base: 0 }])
    expect(await storage.compact(document, { snapshot: { seq: 1, chunks, ...UNKNOWN }, replaces: 0 })).toBe(true)
  })
  const options = { data, chunkBytes: CHUNK_BYTES, compactMinBytes: 2 ** 30 }
  return startInProcess({ release: onTestFinished, options })
}

async function join(url: string): Promise<{ doc: Y.Doc; sizes: number[]; transactions: number }> {
  const client = await connectRaw({ release: onTestFinished, url, document })
  await client.follow()
  const updates = client.all('update').map(({ update }) => update)
  const doc = new Y.Doc()
  let transactions = 0
  doc.on('update', () => transactions++)
  for (const update of updates) Y.applyUpdate(doc, update)
  expect(isPending(doc)).toBe(false)
  return { doc, sizes: updates.map(({ length }) => length), transactions }
}

test('R7 a snapshot that was stored with its rich text in one chunk comes in pieces that are one transaction', async () => {
  const doc = mixed()
  const chunks = splitUpdate(Y.encodeStateAsUpdate(doc), CHUNK_BYTES)
  expect(Math.max(...chunks.map(({ length }) => length))).toBeGreaterThan(10 * CHUNK_BYTES)
  const { url } = await serverOf(chunks)
  const joined = await join(url)
  expect(Math.max(...joined.sizes)).toBeLessThanOrEqual(3 * CHUNK_BYTES)
  expect(joined.transactions).toBe(1)
  expect(joined.doc.getText('rich').toDelta()).toEqual(doc.getText('rich').toDelta())
  expect(joined.doc.getText('text').toString()).toBe(doc.getText('text').toString())
})

test('R7 what is left of a snapshot whose last chunks are lost is served as a whole document', async () => {
  const chunks = splitSnapshot(Y.encodeStateAsUpdate(mixed()), CHUNK_BYTES)
  expect(chunks.length).toBeGreaterThan(8)
  for (let left = 2; left < chunks.length; left += 3) {
    const { url, server } = await serverOf(chunks.slice(0, left))
    const { doc, transactions } = await join(url)
    expect(transactions).toBe(1)
    const clocks = new Map<number, number>()
    for (const chunk of chunks.slice(0, left)) {
      for (const { client, end } of scanUpdate(chunk).sections) clocks.set(client, end)
    }
    expect(Y.decodeStateVector(Y.encodeStateVector(doc))).toEqual(clocks)
    await server.close()
  }
})
