import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { edit } from '../support/edits.ts'
import { documentInEvents, lastEntry } from '../support/event-stream.ts'
import { Gate } from '../support/gate.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { EMPTY_STATE, presence, step2, update } from '../support/messages.ts'
import { connectRaw, openRaw } from '../support/raw-client.ts'
import { openRawSocket } from '../support/raw-socket.ts'
import { allRead, freshCopy, STOCK_VERSIONS, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished

describe('R1', () => {
  test.each([
    ['plain', 'plain'],
    ['a/b%2Fc', 'a/b/c'],
    ['my%20doc', 'my doc'],
    ['%F0%9F%98%80', '😀'],
    ['%2520', '%20'],
    ['100%', '100%'],
    ['100%25', '100%'],
    ['%C3%28%41', '%C3%28%41'],
    ['%zz', '%zz'],
    ['a%3Fb', 'a?b'],
  ])('R1 the path %s names the document %s', async (path, document) => {
    const { url } = await startInProcess({ release })
    const writer = await openRaw(release, `${url}${path}`)
    writer.send(update(edit('x').update))
    const text = textOf({ doc: await documentInEvents({ release, url, document }) })
    expect(text.toString()).toBe('x')
  })

  test('R1 the name begins after the base path, outside of which the answer is HTTP 404', async () => {
    const { url } = await startInProcess({ release, options: { basePath: '/base' } })
    const writer = await openRaw(release, `${url}notes`)
    writer.send(update(edit('x').update))
    const inner = await documentInEvents({ release, url, document: 'notes' })
    expect(textOf({ doc: inner }).toString()).toBe('x')
    for (const target of ['/notes', '/basement/notes', '/basement']) {
      const { answer } = await openRawSocket({ release, url, target })
      expect(await answer, target).toMatchObject({ status: 404 })
    }
  })
})

describe('R2', () => {
  test.each([
    ['too long', `/${'x'.repeat(256)}`],
    ['too long in UTF-8', `/${encodeURIComponent('é').repeat(128)}`],
    ['holding a control character', '/a%00b'],
    ['holding a control character of Latin 1', '/a%C2%85b'],
    ['a dot segment', '/a/../b'],
    ['an encoded dot segment', '/%2e%2e%2fb'],
  ])('R2 a name that is %s closes with 4400, after the upgrade', async (_, target) => {
    const clock = new ManualClock()
    const { url } = await startInProcess({ release, clock })
    const socket = await openRawSocket({ release, url, target })
    expect((await socket.answer).status).toBe(101)
    clock.advance(100)
    expect(await socket.closed).toMatchObject({ code: 4400, reason: expect.stringContaining('document name') })
    expect(socket.messages).toEqual([])
  })

  test('R2 such a close comes after 100 ms, then twice as late each time up to 10 s, and anew after a quiet minute', async () => {
    const clock = new ManualClock()
    // A minute after the start the server would look for history that is too old, and set a timer when it has.
    const { url } = await startInProcess({ release, clock, options: { history: 'forever' } })
    const refuse = async () => {
      const client = await openRaw(release, `${url}a%00b`)
      const delay = clock.pending.at(-1) ?? 0
      clock.advance(delay)
      expect((await client.closed).code).toBe(4400)
      return delay
    }
    const delays: number[] = []
    while (delays.length < 9) delays.push(await refuse())
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000])
    clock.advance(60_000)
    expect(await refuse()).toBe(100)
  })

  test('R2 it makes y-websocket 3.1 stop', async () => {
    const clock = new ManualClock()
    const { url } = await startInProcess({ release, clock })
    const timers = clock.pending.length
    const client = stockClient({ release, url, document: 'bell \u0007' })
    await clock.hasTimers(timers + 1)
    clock.advance(100)
    await client.lost()
    expect(client.provider.shouldConnect).toBe(false)
  })
})

test.each([
  [[], undefined],
  [['coedit'], 'coedit'],
  [['coedit.v1'], 'coedit.v1'],
  [['bearer.secret', 'coedit'], 'coedit'],
  [['coedit', 'coedit.v1'], 'coedit.v1'],
  [['bearer.secret'], undefined],
  [['coedit.v2'], undefined],
])('R3 of the subprotocols %j the server selects %s', async (offered, selected) => {
  const { url } = await startInProcess({ release })
  const headers = offered.length > 0 ? { 'Sec-WebSocket-Protocol': offered.join(', ') } : {}
  const socket = await openRawSocket({ release, url, target: '/notes', headers })
  const answer = await socket.answer
  expect(answer.status).toBe(101)
  expect(answer.headers.get('sec-websocket-protocol')).toBe(selected)
})

describe('R4', () => {
  test('R4 the server begins with its Step1, and says no more to somebody who is alone', async () => {
    const { url } = await startInProcess({ release })
    const client = await connectRaw({ release, url, document: 'notes' })
    await client.message('step1')
    await client.roundTrip()
    expect(client.messages).toEqual([{ type: 'step1', stateVector: EMPTY_STATE }])
  })

  test('R4 its Step1 tells what the document holds, and the presence of all follows it', async () => {
    const { url } = await startInProcess({ release })
    const { update: made, stateVector } = edit('hello')
    const first = await connectRaw({ release, url, document: 'notes' })
    first.send(update(made), presence({ clientId: 7, clock: 1, state: { name: 'Ada' } }))
    await first.follow()
    await first.roundTrip()
    const second = await connectRaw({ release, url, document: 'notes' })
    await second.message('presence')
    expect(second.messages).toEqual([
      { type: 'step1', stateVector },
      { type: 'presence', entries: [{ clientId: 7, clock: 1, state: { name: 'Ada' } }] },
    ])
  })

  test('R4 fifty who join at once have the document loaded once', async () => {
    const load = vi.spyOn(LevelStorage.prototype, 'load')
    onTestFinished(() => load.mockRestore())
    const { url } = await startInProcess({ release })
    const clients = await Promise.all(Array.from({ length: 50 }, () => connectRaw({ release, url, document: 'notes' })))
    await Promise.all(clients.map((client) => client.message('step1')))
    expect(load.mock.calls).toEqual([['notes']])
  })

  test('R4 nothing is sent while the document is loaded, whatever the client says meanwhile', async () => {
    const load = vi.spyOn(LevelStorage.prototype, 'load')
    onTestFinished(() => load.mockRestore())
    const gate = new Gate()
    load.mockImplementationOnce(async function (this: LevelStorage, document) {
      await gate.opened
      return this.load(document)
    })
    const { url } = await startInProcess({ release })
    const client = await connectRaw({ release, url, document: 'notes' })
    const other = await syncedClient({ release, url, document: 'other' })
    client.send(Uint8Array.of(0, 0, 1, 0), update(edit('x').update))
    textOf(other).insert(0, 'the others go on')
    expect(await lastEntry({ release, url, document: 'other' })).toBe(1)
    expect(client.messages).toEqual([])
    gate.open()
    await client.message('step2')
    expect(client.types[0]).toBe('step1')
  })

  test('R4 where it cannot be opened the close comes after 100 ms, then twice as late each time for this document', async () => {
    const clock = new ManualClock()
    const hooks = {
      load: () => {
        throw new Error('this document cannot be filled')
      },
    }
    const { url } = await startInProcess({ release, clock, hooks })
    for (const [document, delay] of [
      ['notes', 100],
      ['notes', 200],
      ['notes', 400],
      ['other', 100],
    ] as const) {
      const client = await connectRaw({ release, url, document })
      await clock.hasTimerOf(delay)
      expect(client.isOpen).toBe(true)
      clock.advance(delay)
      expect(await client.closed).toMatchObject({ code: 1011 })
      expect(client.messages).toEqual([])
    }
  })
})

test.each([
  [['coedit.v1'], ['node-1']],
  [['coedit'], []],
  [[], []],
])('R48 a connection that offered %j is told the name of the server: %j', async (protocols, names) => {
  const { url } = await startInProcess({ release, options: { nodeName: 'node-1' } })
  const client = await connectRaw({ release, url, document: 'notes', protocols })
  await client.follow(step2())
  expect(client.all('node').map(({ name }) => name)).toEqual(names)
  expect(client.types[0]).toBe('step1')
})

describe('R5', () => {
  test('R5 a reader is sent no Step1, its Step2 is dropped and its first Update is denied, once', async () => {
    const { url } = await startInProcess({ release })
    const reader = await connectRaw({ release, url, document: 'notes', query: '?access=read' })
    reader.send(step2(edit('by Step2').update))
    await reader.follow()
    expect(reader.types).toEqual(['step2'])
    reader.send(update(edit('once').update), update(edit('twice').update))
    await reader.follow()
    expect(reader.types).toEqual(['step2', 'denied', 'step2'])
    const witness = await syncedClient({ release, url, document: 'notes' })
    expect(witness.doc.store.clients.size).toBe(0)
  })

  test.each(STOCK_VERSIONS)('R5 a stock client %s reads without writing', async (version) => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    onTestFinished(() => warn.mockRestore())
    const { url } = await startInProcess({ release })
    const reader = await syncedClient({ release, url, document: 'notes', version, params: { access: 'read' } })
    const writer = await syncedClient({ release, url, document: 'notes' })
    textOf(writer).insert(0, 'read this')
    await allRead([reader], 'read this')
    textOf(reader).insert(0, 'do not ')
    textOf(writer).insert(0, 'please ')
    await untilChanged([reader.doc], 'the reader reads on', () => textOf(reader).toString().includes('please '))
    expect(warn).toHaveBeenCalledOnce()
    const doc = await freshCopy({ release, url, document: 'notes' })
    expect(textOf({ doc }).toString()).toBe('please read this')
    expect(reader.losses).toBe(0)
  })
})
