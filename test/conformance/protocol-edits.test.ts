import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { isPending } from '../support/editing.ts'
import { edit, Writer } from '../support/edits.ts'
import { lastEntry } from '../support/event-stream.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { step2, update } from '../support/messages.ts'
import { connectRaw, store } from '../support/raw-client.ts'
import { allRead, freshCopy, STOCK_VERSIONS, syncedClient, textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'

async function start() {
  const { url } = await startInProcess({ release })
  const there = { release, url, document }
  return { url, there }
}

describe('R14', () => {
  test('R14 what was sent before adds nothing, alone, in part or as the whole document', async () => {
    const { there } = await start()
    const writer = new Writer()
    const [first, second, third] = [writer.insert('hello'), writer.insert(' world'), writer.delete(0, 2)]
    const all = [first, second, third].map((made) => made.update)
    await store(there, ...all)
    const last = await lastEntry(there)
    await store(there, ...all, writer.everything, ...all)
    const client = await connectRaw(there)
    await client.follow(step2(writer.everything), step2(writer.everything), update(third.update))
    await client.roundTrip()
    expect(await lastEntry(there)).toBe(last)
  })

  test('R14 of an update that is known in part the rest is taken', async () => {
    const { there } = await start()
    const writer = new Writer()
    await store(there, writer.insert('known').update)
    const reader = await connectRaw(there)
    await reader.follow()
    writer.insert(' and new')
    await store(there, writer.everything)
    const { update: shown } = await reader.message('update', 1)
    expect(Y.decodeUpdate(shown).structs.map(({ id }) => id.clock)).toEqual([5])
    expect(textOf(reader).toString()).toBe('known and new')
  })

  test('R14 known ids keep their content, whatever somebody else says it is', async () => {
    const { there } = await start()
    await store(there, edit('first', 7).update)
    const last = await lastEntry(there)
    await store(there, edit('forge', 7).update)
    expect(await lastEntry(there)).toBe(last)
    await store(there, edit('forged', 7).update)
    expect(textOf({ doc: await freshCopy(there) }).toString()).toMatch(/^first/)
  })

  test.each(STOCK_VERSIONS)('R14 a hundred reconnects of a client %s add no entry', async (version) => {
    const { there } = await start()
    const client = await syncedClient({ ...there, version })
    textOf(client).insert(0, 'some text of which a part is deleted')
    textOf(client).delete(5, 5)
    const witness = await syncedClient(there)
    await allRead([witness], textOf(client).toString())
    const last = await lastEntry(there)
    for (let times = 0; times < 100; times++) {
      await client.leave()
      client.provider.connect()
      await client.synced()
    }
    textOf(client).insert(0, '!')
    await allRead([witness], textOf(client).toString())
    expect(await lastEntry(there)).toBe(last + 1)
  })
})

describe('R15', () => {
  /** B's edit builds upon A's, which the server does not have yet. */
  function gossip() {
    const [a, b] = [new Writer(), new Writer()]
    const before = a.insert('before ')
    const hole = b.learn(before).insert('after')
    return { a, b, before, hole }
  }

  test('R15 an edit that builds upon one that is not there yet waits for it, and its sender is asked once', async () => {
    const { there } = await start()
    const { b, hole } = gossip()
    const client = await connectRaw(there)
    await client.follow(step2())
    expect(client.all('step1')).toHaveLength(1)
    client.send(update(hole.update), update(b.insert('!').update))
    await client.roundTrip()
    expect(client.all('step1')).toHaveLength(2)

    const reader = await connectRaw(there)
    await reader.follow()
    expect(reader.all('update')).toEqual([])
    client.send(step2(b.everything))
    await reader.message('update')
    expect(textOf(reader).toString()).toBe('before after!')

    client.send(update(new Writer().learn({ update: b.everything }).insert('?').update))
    client.send(update(gossip().hole.update))
    await client.roundTrip()
    expect(client.all('step1')).toHaveLength(3)
  })

  test('R15 the Step1 that was sent at first counts as long as it is unanswered', async () => {
    const { there } = await start()
    const { b, hole } = gossip()
    const client = await connectRaw(there)
    await client.follow(update(hole.update))
    await client.roundTrip()
    expect(client.all('step1')).toHaveLength(1)
    await store(there, b.everything)
    expect(textOf({ doc: await freshCopy(there) }).toString()).toBe('before after')
  })

  test('R15 of an Update that builds upon something unknown in part, the rest is taken at once', async () => {
    const { there } = await start()
    const { hole } = gossip()
    const free = edit('free')
    const reader = await connectRaw(there)
    await reader.follow()
    const client = await connectRaw(there)
    client.send(update(Y.mergeUpdates([hole.update, free.update])))
    await reader.message('update')
    expect([...reader.doc.store.clients.keys()]).toEqual([free.clientId])
  })

  test('R15 deletions of what is not there yet wait for it, too', async () => {
    const { there } = await start()
    const [a, b] = [new Writer(), new Writer()]
    const wrote = a.insert('mistake')
    const deleted = b.learn(wrote).delete(0, 3)
    const client = await connectRaw(there)
    await client.follow(step2(), update(deleted.update))
    await client.message('step1', 1)
    client.send(step2(b.everything))
    const reader = await syncedClient(there)
    await allRead([reader], 'take')
    expect(isPending(reader.doc)).toBe(false)
  })

  test('R15 what is left over of a Step2 is dropped: its sender is not asked again and not closed', async () => {
    const { there } = await start()
    const { before, hole } = gossip()
    const client = await connectRaw(there)
    await client.follow(step2(hole.update))
    await client.roundTrip()
    expect(client.types).toEqual(['step1', 'step2'])
    await store(there, before.update)
    const reader = await syncedClient(there)
    expect(textOf(reader).toString()).toBe('before ')
    client.send(update(hole.update))
    await allRead([reader], 'before after')
  })

  test.each(STOCK_VERSIONS)('R15 clients %s that gossip past the server heal, and none is closed', async (version) => {
    const { there } = await start()
    const [a, b, c] = await Promise.all([0, 1, 2].map(() => syncedClient({ ...there, version })))
    for (let round = 0; round < 20; round++) {
      await a.leave()
      textOf(a).insert(textOf(a).length, `a${round} `)
      // As tabs share their edits over BroadcastChannel, without sending them on to the server.
      Y.applyUpdate(b.doc, Y.encodeStateAsUpdate(a.doc), b.provider)
      textOf(b).insert(textOf(b).length, `b${round} `)
      a.provider.connect()
      await a.synced()
      await allRead([a, c], textOf(b).toString())
    }
    expect(textOf(c).toString()).toMatch(/^a0 b0 a1 b1 .* b19 $/)
    expect([b.losses, c.losses]).toEqual([0, 0])
  })
})

describe('R16', () => {
  test.each(['update', 'step2'] as const)(
    'R16 a malformed %s closes with 1008, and nothing of it is kept',
    async (type) => {
      const { there } = await start()
      const witness = await connectRaw(there)
      await witness.follow()
      const good = edit('good').update
      const malformed = Uint8Array.of(...good, 0)
      const client = await connectRaw({ ...there, protocols: ['coedit.v1'] })
      await client.message('step1')
      client.send(step2(), type === 'update' ? update(malformed) : step2(malformed), update(good))
      expect(await client.closed).toMatchObject({ code: 1008, reason: expect.stringContaining('1 bytes follow') })
      expect(client.acknowledged ?? 0).toBeLessThanOrEqual(1)
      await witness.follow()
      expect(witness.all('update')).toEqual([])
    },
  )
})
