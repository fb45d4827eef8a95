import { describe, expect, onTestFinished, test } from 'vitest'
import { edit } from '../support/edits.ts'
import { LeapingClock } from '../support/leaping-clock.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { presence, QUERY_PRESENCE, update } from '../support/messages.ts'
import { announce, openRoom, seenBy, sees, settled } from '../support/presence-room.ts'
import { STOCK_VERSIONS, syncedClient } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'

describe('R22', () => {
  test('R22 the client that a connection announces alone is its own, and nobody else changes or removes it', async () => {
    const room = await openRoom()
    const [owner, other, witness] = [await room.join(), await room.join(), await room.join()]
    announce(owner, 7, 1, 'Ada')
    announce(other, 8, 1, 'Bob')
    await sees(witness, 8, 'Bob')
    announce(other, 7, 5, 'not Ada')
    announce(other, 7, 6, null)
    await settled(room, witness, other)
    expect(seenBy(witness)).toEqual({ 7: 'Ada', 8: 'Bob' })
    announce(owner, 7, 2, 'still Ada')
    await sees(witness, 7, 'still Ada')
  })

  test('R22 older clocks change nothing', async () => {
    const room = await openRoom()
    const [owner, witness] = [await room.join(), await room.join()]
    announce(owner, 7, 5, 'new')
    announce(owner, 7, 4, 'old')
    announce(owner, 7, 5, 'as old')
    await settled(room, witness, owner)
    expect(seenBy(witness)).toEqual({ 7: 'new' })
  })

  test('R22 clients of all versions see each other, and one that goes takes nobody along', async () => {
    const { url } = await openRoom()
    const clients = await Promise.all(
      STOCK_VERSIONS.map((version) => syncedClient({ release, url, document, version })),
    )
    const ids = clients.map(({ doc }) => doc.clientID)
    await Promise.all(clients.map((client) => client.sees(...ids)))
    for (const [index, leaver] of clients.entries()) {
      await leaver.leave()
      const left = clients.filter((_, other) => other !== index)
      const leftIds = ids.filter((_, other) => other !== index)
      await Promise.all(left.map((client) => client.sees(...leftIds)))
      leaver.provider.connect()
      await Promise.all(left.map((client) => client.sees(...ids)))
      await leaver.sees(...ids)
    }
  })
})

describe('R23', () => {
  test('R23 further ids are claimed by whoever announces them, up to maxPresenceIds', async () => {
    const room = await openRoom({ maxPresenceIds: 2 })
    const [tab, witness] = [await room.join(), await room.join()]
    announce(tab, 1, 1, 'tab')
    for (const sibling of [2, 3, 4]) announce(tab, sibling, 1, 'sibling')
    await settled(room, witness, tab)
    expect(seenBy(witness)).toEqual({ 1: 'tab', 2: 'sibling', 3: 'sibling' })
    tab.cut()
    await witness.until('all are gone', () => Object.keys(seenBy(witness)).length === 0)
  })

  test('R23 a tab that announces its sibling first gives it up to the sibling', async () => {
    const room = await openRoom()
    const [tab, sibling, witness] = [await room.join(), await room.join(), await room.join()]
    tab.send(presence({ clientId: 1, clock: 1, state: 'tab' }, { clientId: 2, clock: 1, state: 'as the tab knows it' }))
    await sees(witness, 2, 'as the tab knows it')
    announce(sibling, 2, 2, 'itself')
    await sees(witness, 2, 'itself')
    announce(tab, 2, 9, 'forged')
    tab.cut()
    await witness.until('the tab is gone', () => !(1 in seenBy(witness)))
    expect(seenBy(witness)).toEqual({ 2: 'itself' })
  })
})

describe('R24', () => {
  async function contest() {
    const clock = new LeapingClock()
    const room = await openRoom({ clock })
    const [holder, rival, witness] = [await room.join(), await room.join(), await room.join()]
    announce(holder, 7, 1, 'holder')
    await sees(witness, 7, 'holder')
    return { clock, room, holder, rival, witness }
  }

  test('R24 who claims the id of a client that answers does not get it', async () => {
    const { clock, room, holder, rival, witness } = await contest()
    announce(rival, 7, 5, 'rival')
    await rival.roundTrip()
    await holder.roundTrip()
    await holder.roundTrip()
    clock.leap(2000)
    await settled(room, witness, rival)
    expect(seenBy(witness)).toEqual({ 7: 'holder' })
    announce(holder, 7, 2, 'holder still')
    await sees(witness, 7, 'holder still')
  })

  test('R24 who claims the id of one that does not answer for 2 s gets it', async () => {
    const { clock, room, holder, rival, witness } = await contest()
    holder.pause()
    announce(rival, 7, 5, 'rival')
    await rival.roundTrip()
    clock.leap(1900)
    await settled(room, witness, rival)
    expect(seenBy(witness)).toEqual({ 7: 'holder' })
    clock.leap(100)
    await sees(witness, 7, 'rival')
    announce(holder, 7, 6, 'too late')
    holder.resume()
    await settled(room, witness, holder)
    expect(seenBy(witness)).toEqual({ 7: 'rival' })
  })
})

const LIMITS = { maxPresenceBytes: 1024 }

test.each([
  ['larger than maxPresenceBytes', 'x'.repeat(1024)],
  ['nested more than 16 deep', JSON.parse('['.repeat(17) + ']'.repeat(17))],
  ['that is no JSON', Buffer.from('{"name":')],
  ['that is not UTF-8', Uint8Array.of(0x22, 0xff, 0x22)],
])('R25 a state %s is dropped, and the rest of its message is not', async (_, state) => {
  const room = await openRoom(LIMITS)
  const [client, witness] = [await room.join(), await room.join()]
  announce(client, 7, 1, 'good')
  client.send(
    presence(
      { clientId: 8, clock: 1, state: 'one' },
      { clientId: 7, clock: 2, state },
      { clientId: 9, clock: 1, state: 'two' },
    ),
  )
  await settled(room, witness, client)
  expect(seenBy(witness)).toEqual({ 7: 'good', 8: 'one', 9: 'two' })
})

test.each([
  ['of maxPresenceBytes', 'x'.repeat(1022)],
  ['nested 16 deep', JSON.parse('['.repeat(16) + ']'.repeat(16))],
  ['with brackets in a string', '[{'.repeat(100)],
  ['that names __proto__', JSON.parse('{"__proto__":{"polluted":true}}')],
])('R25 a state %s is shown', async (_, state) => {
  const room = await openRoom(LIMITS)
  const [client, witness] = [await room.join(), await room.join()]
  announce(client, 7, 1, state)
  await sees(witness, 7, state)
  expect(Object.prototype).not.toHaveProperty('polluted')
})

describe('R26', () => {
  test('R26 the ids of a connection that ends are removed with the highest clock seen plus one', async () => {
    const room = await openRoom()
    const [client, witness] = [await room.join(), await room.join()]
    announce(client, 7, 41, 'here')
    await sees(witness, 7, 'here')
    client.cut()
    await sees(witness, 7, undefined)
    expect(witness.all('presence').at(-1)?.entries).toEqual([{ clientId: 7, clock: 42, state: null }])
  })

  test('R26 who comes back with an older clock is told, and shown as soon as its clock is higher', async () => {
    const room = await openRoom()
    const [first, witness] = [await room.join(), await room.join()]
    announce(first, 7, 41, 'here')
    await sees(witness, 7, 'here')
    first.cut()
    await sees(witness, 7, undefined)
    const second = await room.join()
    announce(second, 7, 41, 'back')
    expect((await second.message('presence')).entries).toEqual([{ clientId: 7, clock: 42, state: null }])
    announce(second, 7, 43, 'back')
    await sees(witness, 7, 'back')
  })

  test.each(STOCK_VERSIONS)('R26 a client %s that comes back is seen again', async (version) => {
    const { url } = await openRoom()
    const [client, witness] = await Promise.all([
      syncedClient({ release, url, document, version }),
      syncedClient({ release, url, document }),
    ])
    for (let times = 0; times < 20; times++) {
      await client.leave()
      client.provider.connect()
      client.provider.awareness.setLocalStateField('times', times)
      await witness.sees(client.doc.clientID)
    }
  })
})

describe('R27', () => {
  test('R27 changes gather for a millisecond for each subscriber, and of each client the last one is sent', async () => {
    const clock = new ManualClock()
    const room = await openRoom({ clock })
    const [a, b, witness] = [await room.join(), await room.join(), await room.join()]
    for (let change = 1; change <= 500; change++) announce(a, 1, change, change)
    for (let change = 1; change <= 500; change++) announce(b, 2, change, -change)
    await Promise.all([a.roundTrip(), b.roundTrip()])
    expect(clock.pending.at(-1)).toBe(3)
    clock.advance(3)
    await witness.message('presence')
    await witness.roundTrip()
    expect(witness.all('presence')).toHaveLength(1)
    expect(seenBy(witness)).toEqual({ 1: 500, 2: -500 })
  })

  test('R27 they gather for no longer than presenceIntervalMs', async () => {
    const clock = new ManualClock()
    const room = await openRoom({ clock, presenceIntervalMs: 2 })
    const clients = await Promise.all(Array.from({ length: 5 }, () => room.join()))
    announce(clients[0], 1, 1, 'here')
    await clients[0].roundTrip()
    expect(clock.pending.at(-1)).toBe(2)
  })

  test('R27 they ride along with edits', async () => {
    const room = await openRoom({ clock: new ManualClock() })
    const [writer, witness] = [await room.join(), await room.join()]
    await witness.follow()
    announce(writer, 1, 1, 'writing')
    writer.send(update(edit('x').update))
    await witness.message('presence')
    expect(witness.types.slice(2)).toEqual(['update', 'presence'])
  })
})

test('R28 who asks is told everybody who is here, and nobody who has left', async () => {
  const room = await openRoom()
  const [a, b, gone, asker] = [await room.join(), await room.join(), await room.join(), await room.join()]
  announce(a, 1, 1, 'a')
  announce(b, 2, 1, 'b')
  announce(gone, 3, 1, 'gone')
  await sees(asker, 3, 'gone')
  gone.cut()
  await sees(asker, 3, undefined)
  const before = asker.all('presence').length
  asker.send(QUERY_PRESENCE)
  expect((await asker.message('presence', before)).entries).toEqual([
    { clientId: 1, clock: 1, state: 'a' },
    { clientId: 2, clock: 1, state: 'b' },
  ])
})
