import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { scanUpdate, withoutTooDeep } from '../../server/src/protocol/update/update.ts'
import { WorkerPool } from '../../server/src/workers/pool.ts'
import { bytes } from '../support/bytes.ts'
import { open, recordErrors } from '../support/connections.ts'
import { lastEntry } from '../support/event-stream.ts'
import { item, nestedAny } from '../support/handmade-updates.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { recordingLog } from '../support/log.ts'
import { step2, update } from '../support/messages.ts'
import { connectRaw } from '../support/raw-client.ts'
import { allRead, freshCopy, STOCK_VERSIONS, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished
const document = 'notes'

/** Objects in each other, so many. */
function nested(depth: number): object {
  let value = {}
  for (let level = 1; level < depth; level++) value = { inner: value }
  return value
}

/** How deep objects lie in each other. */
function depthOf(value: unknown): number {
  let depth = 0
  for (let inner = value; typeof inner === 'object' && inner !== null; depth++) inner = Reflect.get(inner, 'inner')
  return depth
}

/** Has a value of this depth in every kind of content that has values. */
function fill(doc: Y.Doc, depth: number): void {
  doc.getMap('map').set('key', nested(depth))
  doc.getArray('array').push([1, nested(depth), 3])
  const rich = doc.getText('rich')
  rich.insert(0, 'rich', { mark: nested(depth) })
  rich.insertEmbed(0, nested(depth))
  doc.getMap('map').set('subdocument', new Y.Doc({ meta: nested(depth - 1) }))
}

/** How deep the value in each of them is. */
function depths(doc: Y.Doc): number[] {
  const subdocument = doc.getMap('map').get('subdocument')
  const rich: { insert: unknown; attributes?: { mark: unknown } }[] = doc.getText('rich').toDelta()
  const values = [
    doc.getMap('map').get('key'),
    doc.getArray('array').get(1),
    { inner: subdocument instanceof Y.Doc && subdocument.meta },
    rich[0]?.insert,
    rich[1]?.attributes?.mark,
  ]
  return values.map(depthOf)
}

/** What everybody shows of that where it is taken as deleted. */
const NOTHING = { map: {}, array: [], rich: [{ insert: 'rich' }] }

function shown(doc: Y.Doc) {
  return { map: doc.getMap('map').toJSON(), array: doc.getArray('array').toJSON(), rich: doc.getText('rich').toDelta() }
}

function clear(doc: Y.Doc): boolean {
  return doc.getMap('map').size === 0 && doc.getArray('array').length === 0 && doc.getText('rich').length === 4
}

describe('R16', () => {
  test.each([500, 1000])('R16 values nested %d deep are taken, kept and compacted', async (depth) => {
    const there = { release, url: '', document }
    const { url, server, data } = await startInProcess({ release })
    const writer = await syncedClient({ ...there, url })
    fill(writer.doc, depth)
    textOf(writer).insert(0, 'after')
    await allRead([await syncedClient({ ...there, url })], 'after')
    expect(writer.losses).toBe(0)
    await server.close()
    const again = await startInProcess({ release, options: { data } })
    const copy = await freshCopy({ ...there, url: again.url })
    expect(depths(copy)).toEqual([depth, depth, depth, depth, depth])

    const { log, lines } = recordingLog()
    const workers = new WorkerPool({ log })
    release(() => workers.close())
    const { chunks } = await workers.compact({ chunks: [], tail: [Y.encodeStateAsUpdate(copy)] })
    const compacted = new Y.Doc()
    for (const chunk of chunks) Y.applyUpdate(compacted, chunk)
    expect([depths(compacted), lines]).toEqual([depths(copy), []])
  })
})

describe('R42 values nested 1,001 deep', () => {
  test.each(STOCK_VERSIONS)('R42 of a client %s are gone for all, and all else is stored', async (version) => {
    const { url } = await startInProcess({ release })
    const there = { release, url, document }
    const [writer, reader] = [await syncedClient({ ...there, version }), await syncedClient(there)]
    fill(writer.doc, 1001)
    textOf(writer).insert(0, 'after')
    await allRead([reader], 'after')
    await untilChanged([writer.doc], 'the writer has them no more', () => clear(writer.doc))
    for (const { doc } of [writer, reader]) expect(shown(doc)).toEqual(NOTHING)
    expect([writer.losses, reader.losses]).toEqual([0, 0])
  })

  test('R42 that were written offline, among 200 KB, are gone as well', async () => {
    const { url } = await startInProcess({ release })
    const there = { release, url, document }
    const writer = stockClient({ ...there, connect: false })
    fill(writer.doc, 1001)
    textOf(writer).insert(0, 'x'.repeat(200_000))
    writer.provider.connect()
    await untilChanged([writer.doc], 'the writer has them no more', () => clear(writer.doc))
    const copy = await freshCopy(there)
    expect([shown(copy), textOf({ doc: copy }).length]).toEqual([NOTHING, 200_000])
    expect(writer.losses).toBe(0)
  })

  test('R42 are told of to a page of ours, whose edits are saved', async () => {
    const { url } = await startInProcess({ release })
    const connection = open({ url })
    const codes = recordErrors(connection)
    await connection.whenSynced
    fill(connection.doc, 1001)
    await connection.flush()
    expect([codes[0], connection.state.error, connection.state.access]).toEqual(['TOO_DEEP', null, 'write'])
    expect(shown(connection.doc)).toEqual(NOTHING)
    const told = codes.length
    connection.text.insert(0, 'after')
    await connection.flush()
    expect(codes).toHaveLength(told)
  })

  test('R42 bring nothing when they come again', async () => {
    const { url } = await startInProcess({ release })
    const there = { release, url, document }
    const writer = await connectRaw({ ...there, protocols: ['coedit.v1'] })
    await writer.follow(step2())
    const deep = item(8, 1, nestedAny(1001))
    writer.send(update(deep))
    await writer.until('it is durable', () => writer.acknowledged === 2)
    const last = await lastEntry(there)
    writer.send(update(deep), step2(deep))
    await writer.until('they count', () => writer.acknowledged === 4)
    expect(await lastEntry(there)).toBe(last)
    expect(writer.all('tooDeep')).toHaveLength(3)
    expect(writer.all('update')).toHaveLength(1)
  })
})

describe('withoutTooDeep', () => {
  const deepJson = '['.repeat(1001) + ']'.repeat(1001)

  test.each<[string, Uint8Array]>([
    ['values', item(8, 3, 126, nestedAny(1001), 126)],
    ['JSON values', item(2, 2, '1', deepJson)],
    ['an embed', item(5, deepJson)],
    ['a format', item(6, 'mark', deepJson)],
    ['a subdocument', item(9, 'guid', 118, 1, 'key', nestedAny(1000))],
    ['the value of a key', bytes(1, 1, 7, 0, 0x28, 1, 't', 'key', 1, nestedAny(1001), 0)],
  ])('deletes %s, and keeps the ids', (_, deep) => {
    expect(() => scanUpdate(deep)).toThrow(expect.objectContaining({ code: 'UPDATE_TOO_DEEP' }))
    const { sections, deletes } = scanUpdate(withoutTooDeep(deep))
    const [{ client, clock, end }] = sections
    expect([...deletes]).toEqual([[client, [clock, end]]])
    const doc = new Y.Doc()
    Y.applyUpdate(doc, withoutTooDeep(deep))
    expect([Y.getState(doc.store, client), doc.get('t').toJSON()]).toEqual([end, new Y.Doc().get('t').toJSON()])
    Y.applyUpdate(doc, deep)
    expect(doc.get('t')._length).toBe(0)
  })
})
