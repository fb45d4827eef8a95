import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import type { CoeditServer } from '../../server/src/index.ts'
import { afterTests } from '../support/after-tests.ts'
import { type InProcessServer, startInProcess } from '../support/in-process-server.ts'
import { connectRaw, store } from '../support/raw-client.ts'
import { cases } from '../support/runs.ts'
import { STOCK_VERSIONS, type StockVersion, syncedClient } from '../support/stock-clients.ts'
import { storedDocument } from '../support/stored-document.ts'
import { type Release, temporaryDirectory } from '../support/temporary.ts'

const document = 'notes'
const KIB = 1024
const COMPACTING = { compactMinBytes: 1, compactIntervalMs: 0 }
const NEVER_COMPACTING = { compactMinBytes: 2 ** 30 }

/** A document as its authors have it, and what it is made of. */
interface Subject {
  readonly write: (doc: Y.Doc, round: number) => void
  readonly contentOf: (doc: Y.Doc) => unknown
}

const MAPS: Subject = {
  write: (doc, round) => {
    const items = Array.from({ length: 2_000 }, (_, index) => {
      const entries: [string, string][] = [
        ['id', `${round}-${index}`],
        ['title', `title ${index}`],
      ]
      return new Y.Map(entries)
    })
    doc.getArray('items').push(items)
  },
  contentOf: (doc) => doc.getArray('items').toJSON(),
}

const FORMATTED: Subject = {
  write: (doc, round) => {
    const text = doc.getText('text')
    for (let paragraph = 0; paragraph < 200; paragraph++) {
      const at = (text.length * paragraph) / 200
      text.insert(Math.floor(at), `paragraph ${round}-${paragraph}\n`, { bold: true })
      text.format(Math.floor(at / 2), 20, { italic: paragraph % 2 === 0 ? true : null })
      if (paragraph % 5 === 0) text.delete(Math.floor(at / 3), 7)
    }
  },
  contentOf: (doc) => doc.getText('text').toDelta(),
}

/** As y-prosemirror writes it: paragraphs with texts in them, of which some are marked. */
const RICH: Subject = {
  write: (doc, round) => {
    const fragment = doc.getXmlFragment('default')
    for (let index = 0; index < 300; index++) {
      const paragraph = new Y.XmlElement('paragraph')
      const text = new Y.XmlText()
      text.insert(0, ' bold', { bold: {} })
      text.insert(0, `paragraph ${round}-${index}`, {})
      paragraph.insert(0, [text])
      fragment.insert(Math.floor((fragment.length * index) / 300), [paragraph])
      if (index % 10 === 0 && fragment.length > 5) fragment.delete(fragment.length - 3, 1)
    }
  },
  contentOf: (doc) => doc.getXmlFragment('default').toString(),
}

/** Three who write in turns, so that each builds on the others. */
function written({ write }: Subject, rounds: number, before?: Y.Doc): Y.Doc {
  const doc = new Y.Doc()
  if (before) Y.applyUpdate(doc, Y.encodeStateAsUpdate(before))
  for (let round = 0; round < rounds; round++) {
    const author = new Y.Doc()
    Y.applyUpdate(author, Y.encodeStateAsUpdate(doc))
    author.transact(() => write(author, round))
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(author))
  }
  return doc
}

interface Served {
  readonly url: string
  readonly server: CoeditServer
  readonly doc: Y.Doc
  /** What clients have that were there last when there was half of the snapshot, and all of it. */
  readonly early: readonly Y.Doc[]
}

/** A server with a document of a snapshot, and of entries after it that were written in `inTail` rounds. */
async function serve(release: Release, subject: Subject, inTail: number): Promise<Served> {
  const chunkBytes = 16 * KIB
  const data = await temporaryDirectory(release)
  const half = written(subject, 2)
  const snapshot = written(subject, 1, half)
  const compacting = await startInProcess({ release, options: { ...COMPACTING, data, chunkBytes } })
  await store({ release, url: compacting.url, document }, Y.encodeStateAsUpdate(snapshot))
  await untilCompacted(compacting)
  await compacting.server.close()
  expect((await storedDocument(data, document)).snapshot?.chunks.length).toBeGreaterThan(2)

  const { url, server } = await startInProcess({ release, options: { ...NEVER_COMPACTING, data, chunkBytes } })
  const doc = written(subject, inTail, snapshot)
  if (inTail > 0) {
    await store({ release, url, document }, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(snapshot)))
  }
  return { url, server, doc, early: [half, snapshot] }
}

function untilCompacted({ logged }: InProcessServer): Promise<void> {
  return logged('compacted a document')
}

/** Counts what a document goes through. */
function watched(doc: Y.Doc) {
  const seen = { transactions: 0, own: 0 }
  doc.on('afterTransaction', ({ changed, deleteSet }) => {
    if (changed.size > 0 || deleteSet.clients.size > 0) seen.transactions++
  })
  doc.on('update', (_: Uint8Array, __: unknown, ___: Y.Doc, { local }: Y.Transaction) => {
    if (local) seen.own++
  })
  return seen
}

describe.each([
  ['6,000 maps', MAPS],
  ['formatted text of three authors', FORMATTED],
  ['XML of three authors', RICH],
])('of %s', (_, subject) => {
  const release = afterTests()
  let served: Served

  beforeAll(async () => {
    served = await serve(release, subject, 2)
  })

  /** Joins with a document, which shows all that is there in one transaction. */
  async function join(doc: Y.Doc, { url, doc: expected }: Served, version?: StockVersion): Promise<void> {
    const seen = watched(doc)
    await syncedClient({ release: onTestFinished, url, document, doc, ...(version && { version }) })
    expect(seen).toEqual({ transactions: 1, own: 0 })
    expect(subject.contentOf(doc)).toEqual(subject.contentOf(expected))
  }

  const versions = subject === RICH ? STOCK_VERSIONS : cases<StockVersion>(['3.1.0'], ['1.5.4', '2.1.0'])
  test.each(versions)('R7 a client %s gets them in one transaction, and sends nothing', async (version) => {
    await join(new Y.Doc(), served, version)
  })

  test('R7 a client gets a snapshot of them alone in one transaction, and sends nothing', async () => {
    await join(new Y.Doc(), await serve(onTestFinished, subject, 0))
  })

  test('R7 a client that comes back gets what it has missed in one transaction', async () => {
    for (const behind of served.early) await join(written(subject, 0, behind), served)
  })

  test('the code around the server reads them as their authors left them', async () => {
    const { server, doc } = served
    const read = await server.read(document)
    expect(subject.contentOf(read)).toEqual(subject.contentOf(doc))
    expect(Y.equalSnapshots(Y.snapshot(read), Y.snapshot(doc))).toBe(true)
  })
})

test.each([
  ['in a snapshot', COMPACTING],
  ['that was just pasted', NEVER_COMPACTING],
])('R7 rich text of 836 KB %s comes in messages of a bounded size', async (_, compaction) => {
  const chunkBytes = 128 * KIB
  const release = onTestFinished
  const started = await startInProcess({ release, options: { ...compaction, chunkBytes } })
  const { url } = started
  const author = new Y.Doc()
  const text = author.getText('text')
  author.transact(() => {
    for (let paragraph = 0; text.length < 700_000; paragraph++) {
      text.insert(text.length, 'words '.repeat(20), { bold: paragraph % 2 === 0 ? true : null })
    }
  })
  const update = Y.encodeStateAsUpdate(author)
  expect(update.length).toBeGreaterThan(700_000)
  await store({ release, url, document }, update)
  if (compaction === COMPACTING) await untilCompacted(started)
  const client = await connectRaw({ release, url, document })
  await client.follow()
  const sizes = client.all('update').map((message) => message.update.length)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(chunkBytes)
  expect(client.doc.getText('text').toDelta()).toEqual(text.toDelta())
})
