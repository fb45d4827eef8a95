import { once } from 'node:events'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { LeapingClock } from '../support/leaping-clock.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { type PresenceEntry, presence, step1, step2 } from '../support/messages.ts'
import { announce, openRoom, type Room, seenBy, sees, settled } from '../support/presence-room.ts'
import type { RawClient } from '../support/raw-client.ts'
import { moveCursor, watchSightings } from '../support/sightings.ts'
import { STOCK_VERSIONS, type StockClient, syncedClient } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'

/** All that a client was told of an id, in order. */
function told(client: RawClient, clientId: number): PresenceEntry[] {
  return client.all('presence').flatMap(({ entries }) => entries.filter((entry) => entry.clientId === clientId))
}

function clocksOf(client: RawClient, clientId: number): number[] {
  return told(client, clientId).map(({ clock }) => clock)
}

/** Lets seconds pass one by one, in each of which pings are answered. */
async function pass(clock: ManualClock, seconds: number, ...clients: readonly RawClient[]): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1000)
    // The first trip brings the pings, the second one the answers.
    for (let trip = 0; trip < 2; trip++) await Promise.all(clients.map((client) => client.roundTrip()))
    clock.advance(10)
  }
}

describe('R43', () => {
  async function idle() {
    const clock = new ManualClock()
    const room = await openRoom({ clock })
    const [owner, witness] = [await room.join(), await room.join()]
    announce(owner, 7, 1, 'here')
    await owner.roundTrip()
    clock.advance(10)
    await sees(witness, 7, 'here')
    return { clock, owner, witness }
  }

  test('R43 who says nothing more, but answers pings, is shown again every 15 s or little later', async () => {
    const { clock, owner, witness } = await idle()
    await pass(clock, 100, owner, witness)
    expect(told(witness, 7).map(({ state }) => state)).toEqual(Array(7).fill('here'))
    expect(clocksOf(witness, 7)).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(clocksOf(owner, 7)).toEqual([1])
  })

  test('R43 a renewal of its own is not passed on, and the server goes on with its own', async () => {
    const { clock, owner, witness } = await idle()
    await pass(clock, 5, owner, witness)
    announce(owner, 7, 2, 'here')
    await pass(clock, 5, owner, witness)
    expect(clocksOf(witness, 7)).toEqual([1])
    await pass(clock, 10, owner, witness)
    expect(clocksOf(witness, 7)).toEqual([1, 3])
  })

  test('R46 what it says with a lower clock is shown with a higher one', async () => {
    const { clock, owner, witness } = await idle()
    await pass(clock, 50, owner, witness)
    announce(owner, 7, 2, 'moved')
    await owner.roundTrip()
    await pass(clock, 1, owner, witness)
    expect(told(witness, 7).at(-1)).toEqual({ clientId: 7, clock: 5, state: 'moved' })
    // It is told of its removal with the clock below, upon which clients count on from there.
    expect(told(owner, 7)).toEqual([
      { clientId: 7, clock: 1, state: 'here' },
      { clientId: 7, clock: 4, state: null },
    ])
    announce(owner, 7, 5, 'moved')
    announce(owner, 7, 6, 'moved on')
    await owner.roundTrip()
    await pass(clock, 1, owner, witness)
    expect(told(witness, 7).at(-1)).toEqual({ clientId: 7, clock: 6, state: 'moved on' })
    expect(told(owner, 7).filter(({ state }) => state === null)).toHaveLength(1)
  })

  test('R43 who answers no ping is not kept fresh', async () => {
    const { clock, owner, witness } = await idle()
    owner.pause()
    await pass(clock, 40, witness)
    expect(clocksOf(witness, 7)).toEqual([1])
  })
})

describe.each(STOCK_VERSIONS)('y-websocket %s', (version) => {
  test('R43 a hidden tab, whose timers run once a minute, is there all the time', async () => {
    const clock = new LeapingClock()
    const { url } = await openRoom({ clock })
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const hidden = await syncedClient({ release, url, document, version })
    const viewer = await syncedClient({ release, url, document, version })
    const sightings = watchSightings(viewer)
    moveCursor(hidden, 1)
    await sightings.of(hidden, 1)
    const { awareness } = hidden.provider
    clearInterval(Reflect.get(awareness, '_checkInterval'))
    for (let second = 1; second <= 130; second++) {
      letAgeBy(1000, viewer, hidden)
      vi.advanceTimersByTime(1000)
      clock.leap(1000)
      if (second % 60 === 0) awareness.setLocalState(awareness.getLocalState())
      await roundTrip(viewer)
      await roundTrip(hidden)
    }
    expect(sightings.departures).toBe(0)
    expect(awareness.getLocalState()).toEqual({ name: version, cursor: 1 })
    moveCursor(hidden, 2)
    await sightings.of(hidden, 2)
    moveCursor(hidden, 3)
    await sightings.of(hidden, 3)
  })
})

/** Has clients believe that all they know of presence is so much older: their library reads a clock of its own. */
function letAgeBy(ms: number, ...clients: readonly StockClient[]): void {
  for (const { provider } of clients) for (const meta of provider.awareness.meta.values()) meta.lastUpdated -= ms
}

/** Resolves when the server has heard the client, and the client what was said before. */
async function roundTrip({ provider }: StockClient): Promise<void> {
  const socket: unknown = Reflect.get(provider, 'ws')
  if (!(socket instanceof WebSocket)) throw new Error('the client is not connected')
  const answered = once(socket, 'pong')
  socket.ping()
  await answered
}

describe('R44', () => {
  test.each<[string, (room: Room) => Promise<RawClient>]>([
    ['that may write', (room) => room.join()],
    ['that may only read', (room) => room.joinAsReader()],
  ])('R44 a client %s and may remember clocks is shown all others above them', async (_, join) => {
    const room = await openRoom()
    const [owner, witness] = [await room.join(), await room.join()]
    announce(owner, 7, 5, 'here')
    await sees(witness, 7, 'here')
    const client = await join(room)
    await client.message('presence')
    client.send(step1(), presence({ clientId: 8, clock: 1, state: 'itself' }), step2())
    await client.until('it is shown again', () => told(client, 7).length > 1)
    expect(clocksOf(client, 7)).toEqual([5, 6])
    announce(owner, 7, 6, 'moved')
    await sees(client, 7, 'moved')
    expect(clocksOf(witness, 7)).toEqual([5, 7])
    expect(told(client, 8).map(({ state }) => state)).toEqual([null])
  })

  test('R44 one that may remember is shown to the others far above its own clock, and told to count from there', async () => {
    const room = await openRoom()
    const witness = await room.join()
    const client = await room.join()
    client.send(step1(), presence({ clientId: 7, clock: 5, state: 'back' }), step2())
    await sees(witness, 7, 'back')
    const [clock = 0] = clocksOf(witness, 7)
    expect(clock).toBeGreaterThan(60_000)
    await client.until('it is told', () => told(client, 7).length > 0)
    expect(told(client, 7)).toEqual([{ clientId: 7, clock: clock - 1, state: null }])
  })

  test('R44 a client that declares somebody gone is shown who is here', async () => {
    const clock = new LeapingClock()
    const room = await openRoom({ clock })
    const [owner, client, witness] = [await room.join(), await room.join(), await room.join()]
    announce(owner, 7, 5, 'here')
    await sees(client, 7, 'here')
    client.send(presence({ clientId: 7, clock: 5, state: null }))
    await client.until('it is shown again', () => clocksOf(client, 7).includes(6))
    for (let clock = 6; clock < 100; clock++) client.send(presence({ clientId: 7, clock, state: null }))
    await settled(room, witness, client)
    expect(clocksOf(client, 7)).toEqual([5, 6])
    clock.leap(1000)
    client.send(presence({ clientId: 7, clock: 6, state: null }))
    await client.until('it is shown again', () => clocksOf(client, 7).includes(7))
    expect(seenBy(witness)).toMatchObject({ 7: 'here' })
  })
})

describe('R22', () => {
  async function echoed() {
    const room = await openRoom()
    const [editor, viewer, witness] = [await room.join(), await room.join(), await room.join()]
    viewer.send(step2())
    announce(editor, 7, 5, 'here')
    await sees(viewer, 7, 'here')
    return { room, editor, viewer, witness }
  }

  test('R22 what a client was shown it cannot claim by repeating it, neither then nor later', async () => {
    const { room, editor, viewer, witness } = await echoed()
    announce(viewer, 7, 5, 'here')
    await viewer.roundTrip()
    editor.cut()
    await sees(witness, 7, undefined)
    announce(viewer, 7, 5, 'here')
    announce(viewer, 7, 6, 'here')
    await settled(room, witness, viewer)
    expect(seenBy(witness)).toEqual({})
    const again = await room.join()
    again.send(step2())
    announce(again, 7, 5, 'back')
    await sees(witness, 7, 'back')
    await sees(viewer, 7, 'back')
    announce(again, 7, 6, 'moved')
    await sees(witness, 7, 'moved')
    // It has claimed nothing yet.
    announce(viewer, 8, 1, 'itself')
    await sees(witness, 8, 'itself')
  })

  test('R22 what it says before it has answered the first Step1 is its own', async () => {
    const clock = new LeapingClock()
    const room = await openRoom({ clock })
    const [stranded, witness] = [await room.join(), await room.join()]
    announce(stranded, 7, 5, 'here')
    await sees(witness, 7, 'here')
    stranded.pause()
    const again = await room.join()
    announce(again, 7, 5, 'here')
    again.send(step2())
    await again.roundTrip()
    clock.leap(2000)
    announce(again, 7, 6, 'moved')
    await sees(witness, 7, 'moved')
    expect(told(again, 7).map(({ state }) => state)).not.toContain('moved')
  })

  test('R24 who has lost an id may claim it again', async () => {
    const clock = new LeapingClock()
    const room = await openRoom({ clock })
    const [editor, rival, witness] = [await room.join(), await room.join(), await room.join()]
    announce(editor, 7, 1, 'here')
    await sees(witness, 7, 'here')
    editor.pause()
    announce(rival, 7, 5, 'rival')
    await rival.roundTrip()
    clock.leap(2000)
    await sees(witness, 7, 'rival')
    editor.resume()
    await editor.roundTrip()
    rival.cut()
    await sees(editor, 7, undefined)
    announce(editor, 7, 7, 'back')
    await sees(witness, 7, 'back')
    announce(editor, 7, 8, 'moved')
    await sees(witness, 7, 'moved')
  })
})

test('R26 nobody is told that others go when the server stops', async () => {
  const room = await openRoom({ shutdownSpreadMs: 60_000 })
  const clients = await Promise.all(Array.from({ length: 30 }, () => room.join()))
  for (const [index, client] of clients.entries()) announce(client, index, 1, 'here')
  await Promise.all(
    clients.map((client) => client.until('all are seen', () => Object.keys(seenBy(client)).length === 30)),
  )
  await room.close()
  expect(await Promise.all(clients.map(({ closed }) => closed))).toMatchObject(Array(30).fill({ code: 1012 }))
  for (const client of clients) expect(Object.keys(seenBy(client))).toHaveLength(30)
})

describe('R25 a state that is refused', () => {
  test.each<[string, readonly string[], string]>([
    ['coedit.v1', ['coedit.v1'], 'presenceRefused'],
    ['y-websocket', [], 'denied'],
  ])('of a client of %s leaves the last one, and its sender is told once', async (_, protocols, kind) => {
    const clock = new LeapingClock()
    const room = await openRoom({ clock, maxPresenceBytes: 1024 })
    const [client, witness] = [await room.join({ protocols }), await room.join()]
    const refusals = () => client.types.filter((type) => type === kind).length
    announce(client, 7, 1, 'good')
    for (let clock = 2; clock < 10; clock++) announce(client, 7, clock, 'x'.repeat(2000))
    await settled(room, witness, client)
    expect(seenBy(witness)).toEqual({ 7: 'good' })
    expect(refusals()).toBe(1)
    clock.leap(16_000)
    clock.leap(1_000)
    await witness.until('it is kept fresh', () => clocksOf(witness, 7).length > 1)
    expect(seenBy(witness)).toEqual({ 7: 'good' })
    announce(client, 7, 10, 'good again')
    await sees(witness, 7, 'good again')
    announce(client, 7, 11, 'x'.repeat(2000))
    await client.until('it is told again', () => refusals() === 2)
    expect(room.lines.filter(({ message }) => message === 'the presence of a client was refused')).toEqual([
      {
        level: 'warn',
        facts: { document, reason: 'a presence state of 2002 bytes is larger than 1024' },
        message: 'the presence of a client was refused',
      },
    ])
  })

  test('by its size of more than a mebibyte is told, too', async () => {
    const room = await openRoom()
    const client = await room.join({ protocols: ['coedit.v1'] })
    await client.follow()
    announce(client, 7, 1, 'x'.repeat(1024 * 1024))
    await client.message('presenceRefused')
  })

  test('is none that a canvas shows of a thousand selected shapes', async () => {
    const room = await openRoom()
    const [client, witness] = [await room.join(), await room.join()]
    const selected = Array.from({ length: 1000 }, (_, index) => `shape:${String(index).padStart(21, 'x')}`)
    announce(client, 7, 1, { selected })
    await witness.until('it is seen', () => Object.keys(seenBy(witness)).length > 0)
  })
})

describe('R45', () => {
  test.each<['all' | 'writers' | 'nobody', readonly string[]]>([
    ['all', ['reader', 'writer']],
    ['writers', ['writer']],
    ['nobody', []],
  ])('R45 with presenceFrom %s others see %j', async (presenceFrom, shown) => {
    const room = await openRoom({ presenceFrom })
    const [writer, witness, reader] = [await room.join(), await room.join(), await room.joinAsReader()]
    announce(reader, 1, 1, 'reader')
    announce(writer, 2, 1, 'writer')
    await Promise.all([writer.roundTrip(), reader.roundTrip()])
    await witness.until('all are seen', () => Object.keys(seenBy(witness)).length >= shown.length)
    const asker = await room.join()
    asker.send(Uint8Array.of(3))
    await asker.roundTrip()
    expect(Object.values(seenBy(asker))).toEqual(shown)
  })
})
