import { describe, expect, onTestFinished, test } from 'vitest'
import type { Connection, ConnectOptions } from '../../client/src/connection/connection.ts'
import type { ConnectionState } from '../../client/src/connection/state.ts'
import { contains, open, reached, recordErrors, startRestartable } from '../support/connections.ts'
import { type ProxyManners, startHttpProxy } from '../support/http-proxy.ts'
import { type InProcessOptions, startInProcess } from '../support/in-process-server.ts'
import { LeapingClock } from '../support/leaping-clock.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { syncedClient } from '../support/stock-clients.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished

async function behindProxy(manners: Partial<ProxyManners> = {}, settings: Omit<InProcessOptions, 'release'> = {}) {
  const server = await startInProcess({ release, ...settings })
  const proxy = await startHttpProxy(release, [server.url], manners)
  return { ...server, direct: server.url, url: proxy.url, proxy }
}

function openSeen(options: Partial<ConnectOptions> & { readonly url: string }, clock = new LeapingClock()) {
  const connection = open(options, { clock })
  return { connection, seen: see(connection), clock }
}

/** The states of a connection from now on. */
function see(connection: Connection): readonly ConnectionState[] {
  const seen = [connection.state]
  connection.subscribe((state) => seen.push(state))
  return seen
}

/** The values of a field one after the other, without repetitions. */
function course<Field extends keyof ConnectionState>(
  seen: readonly ConnectionState[],
  field: Field,
): ConnectionState[Field][] {
  return seen.map((state) => state[field]).filter((value, index, all) => value !== all[index - 1])
}

/** Resolves when this awareness shows these names. */
function shows(connection: Pick<ReturnType<typeof open>, 'awareness'>, ...names: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (namesIn(connection).join() === [...names].sort().join()) resolve()
    }
    connection.awareness.on('change', look)
    look()
  })
}

/** Resolves when one awareness shows the cursor of the other there. */
function cursorOf(one: ReturnType<typeof open>, other: ReturnType<typeof open>, place: number): Promise<void> {
  return new Promise((resolve) => {
    const look = () => one.awareness.getStates().get(other.doc.clientID)?.cursor === place && resolve()
    one.awareness.on('change', look)
    look()
  })
}

function namesIn({ awareness }: Pick<ReturnType<typeof open>, 'awareness'>): string[] {
  return [...awareness.getStates().values()].flatMap(({ user }) => (user ? [String(user.name)] : [])).sort()
}

describe('where WebSockets are refused', () => {
  test('it goes by HTTP, and says so: what one writes others read, and both see each other', async () => {
    const { url, direct } = await behindProxy()
    const { connection: ann, seen } = openSeen({ url, user: { name: 'Ann' } })
    const ben = open({ url: direct, user: { name: 'Ben' } })
    ann.text.insert(0, 'from Ann')
    await ann.flush()
    expect(ann.state).toMatchObject({ connection: 'online', transport: 'http', synced: true, saved: true, unsaved: 0 })
    expect(course(seen, 'transport')).toEqual(['websocket', 'http'])
    expect(ben.state.transport).toBe('websocket')
    await contains(ben, 'from Ann')
    ben.text.insert(0, 'from Ben, ')
    await contains(ann, 'from Ben, from Ann')
    await Promise.all([shows(ann, 'Ann', 'Ben'), shows(ben, 'Ann', 'Ben')])
    ben.setUser({ name: 'Benjamin' })
    await shows(ann, 'Ann', 'Benjamin')
    ann.setUser({ name: 'Anna' })
    await shows(ben, 'Anna', 'Benjamin')
    ben.destroy()
    await shows(ann, 'Anna')
  })

  test('stock clients see it come, and go with its page', async () => {
    const { url, direct } = await behindProxy()
    const stock = await syncedClient({ release, url: direct, document: 'notes' })
    const ann = open({ url, user: { name: 'Ann' } })
    await stock.sees(ann.doc.clientID)
    ann.destroy()
    await stock.sees()
  })

  test('an edit is saved when it is durable, and not before', async () => {
    const clock = new ManualClock()
    const { url } = await behindProxy({}, { clock })
    const { connection } = openSeen({ url })
    await reached(connection, ({ synced }) => synced)
    connection.text.insert(0, 'a')
    // The commit waits for the clock of the server.
    await clock.hasTimerOf(10)
    expect(connection.state).toMatchObject({ saved: false, unsaved: 1, transport: 'http' })
    const commit = setInterval(() => clock.advance(10), 1)
    await connection.flush()
    clearInterval(commit)
    expect(connection.state).toMatchObject({ saved: true, unsaved: 0 })
  })

  test('other documents of the page go by HTTP from the beginning', async () => {
    const { url, proxy } = await behindProxy()
    await open({ url }).whenSynced
    const before = proxy.requests.filter((line) => line.startsWith('UPGRADE')).length
    await open({ url, document: 'other' }).whenSynced
    expect(proxy.requests.filter((line) => line.startsWith('UPGRADE'))).toHaveLength(before)
  })

  test('with httpFallback false it goes on trying', async () => {
    const { url, proxy } = await behindProxy()
    const connection = open({ url, httpFallback: false })
    await reached(connection, ({ error }) => error?.code === 'UNREACHABLE')
    expect(proxy.requests.every((line) => line.startsWith('UPGRADE'))).toBe(true)
  })

  test('a large document with what was written meanwhile comes in one transaction, and goes up as one', async () => {
    const { url, direct, server } = await behindProxy({}, { options: { chunkBytes: 10_000 } })
    await server.edit('notes', (doc) => {
      for (let part = 0; part < 100; part++) doc.getText('content').insert(0, `${part} `.repeat(200))
    })
    const { connection } = openSeen({ url })
    let transactions = 0
    connection.text.observe(() => transactions++)
    connection.text.insert(0, 'mine, '.repeat(10_000))
    transactions = 0
    await connection.flush()
    expect(transactions).toBe(1)
    const reader = open({ url: direct })
    await reader.whenSynced
    expect(reader.text.toString()).toBe(connection.text.toString())
  })
})

describe('whether WebSockets are blocked', () => {
  test('is not thought of a server that is down: it is found by a WebSocket when it is back', async () => {
    const server = await startRestartable()
    await server.close()
    const { connection, seen } = openSeen({ url: server.url })
    await reached(connection, ({ error }) => error?.code === 'UNREACHABLE')
    await server.restart()
    await connection.flush()
    expect(course(seen, 'transport')).toEqual(['websocket'])
  })

  test('is asked after 4 s of one that does not open', async () => {
    const { url } = await behindProxy({ upgrades: 'unanswered' })
    const { connection, clock } = openSeen({ url })
    clock.leap(5_000)
    await connection.flush()
    expect(connection.state.transport).toBe('http')
  })

  test('is found of those that open and bring nothing: each has 15 s, and one alone says nothing', async () => {
    const { url, proxy } = await behindProxy({ upgrades: 'swallowed' })
    const clock = new ManualClock()
    const connection = open({ url }, { clock })
    const seen = see(connection)
    const isGivenUp = async () => {
      await reached(connection, (state) => state.connection === 'online')
      if (connection.state.transport === 'http') return false
      clock.advance(14_999)
      expect(connection.state.connection).toBe('online')
      clock.advance(1)
      expect(connection.state.connection).toBe('offline')
      return true
    }
    expect(await isGivenUp()).toBe(true)
    proxy.manners.upgrades = 'passed'
    clock.advance(2_500)
    connection.text.insert(0, 'once')
    await connection.flush()
    expect(course(seen, 'transport')).toEqual(['websocket'])

    proxy.manners.upgrades = 'swallowed'
    connection.pause()
    connection.text.insert(0, 'more than ')
    connection.resume()
    let givenUp = 0
    // More than two only where the plain request takes longer than the second one of these.
    while (await isGivenUp()) {
      givenUp += 1
      clock.advance(2_500)
    }
    expect(givenUp).toBeGreaterThan(1)
    await connection.flush()
    expect(course(seen, 'transport')).toEqual(['websocket', 'http'])
    proxy.manners.upgrades = 'passed'
    clock.advance(5_000)
    await reached(connection, ({ transport }) => transport === 'websocket')
    await connection.flush()
  })

  test('is not thought of a server that closes before it has said anything: it has said why', async () => {
    const { url, proxy } = await behindProxy({ upgrades: 'passed' }, { options: { maxConnectionsPerDocument: 1 } })
    await open({ url }).whenSynced
    await reached(open({ url }), () => proxy.requests.length > 2)
    expect(proxy.requests.every((line) => line.startsWith('UPGRADE'))).toBe(true)
  })

  test('is tried again: it goes back without a gap, and nobody sees it leave or come twice', async () => {
    const { url, direct, proxy } = await behindProxy()
    const ben = open({ url: direct, user: { name: 'Ben' } })
    const { connection: ann, seen, clock } = openSeen({ url, user: { name: 'Ann' } })
    await ann.flush()
    await shows(ben, 'Ann', 'Ben')
    const crowd: string[] = []
    ben.awareness.on('change', () => crowd.push(namesIn(ben).join()))
    // Nothing is typed less while it changes over.
    let typed = ''
    const typing = setInterval(() => {
      typed += 'x'
      ann.text.insert(0, 'x')
      // As an editor does.
      ann.awareness.setLocalStateField('cursor', typed.length)
    }, 5)
    clock.leap(5_000)
    await reached(ann, ({ unsaved }) => unsaved > 0)
    proxy.manners.upgrades = 'passed'
    clock.leap(15_000)
    await reached(ann, ({ transport }) => transport === 'websocket')
    clearInterval(typing)
    await ann.flush()
    await contains(ben, typed)
    await cursorOf(ben, ann, typed.length)
    ann.setUser({ name: 'Anna' })
    await shows(ben, 'Anna', 'Ben')
    expect(course(seen, 'transport')).toEqual(['websocket', 'http', 'websocket'])
    expect(course(seen, 'connection')).toEqual(['connecting', 'offline', 'online'])
    expect(crowd.filter((names) => names !== 'Ann,Ben' && names !== 'Anna,Ben')).toEqual([])
    // The next one needs no detour.
    const next = open({ url, document: 'other' })
    await next.flush()
    expect(next.state.transport).toBe('websocket')
  })
})

describe('behind a proxy that passes nothing on before the answer has ended', () => {
  test('it notices that no event comes, and asks again and again', async () => {
    const { url, direct, proxy } = await behindProxy({ keepsAnswers: true })
    const ben = open({ url: direct, user: { name: 'Ben' } })
    const { connection: ann, clock } = openSeen({ url, user: { name: 'Ann' } })
    await ann.flush()
    await Promise.all([ben.whenSynced, proxy.asked(/as=messages/)])
    clock.leap(4_000)
    for (const text of ['a', 'ba', 'cba']) {
      ben.text.insert(0, text.slice(0, 1))
      await contains(ann, text)
    }
    await shows(ann, 'Ann', 'Ben')
    ben.setUser({ name: 'Benjamin' })
    await shows(ann, 'Ann', 'Benjamin')
    expect(proxy.requests.filter((line) => line.includes('poll=1')).length).toBeGreaterThan(1)
    expect(ann.state).toMatchObject({ connection: 'online', transport: 'http' })
  })
})

describe('what can go wrong by HTTP', () => {
  test('an answer that is lost: the edit is there once, and saved after all', async () => {
    const { url, direct, proxy } = await behindProxy()
    const { connection, clock } = openSeen({ url })
    await connection.flush()
    proxy.manners.loses = 'POST'
    connection.text.insert(0, 'once')
    await reached(connection, ({ connection }) => connection === 'offline')
    proxy.manners.loses = undefined
    clock.leap(2_500)
    await connection.flush()
    expect(connection.state.transport).toBe('http')
    const reader = open({ url: direct })
    await contains(reader, 'once')
  })

  test('a restart of the server: it comes back by HTTP, with what was written meanwhile', async () => {
    const server = await startRestartable()
    const proxy = await startHttpProxy(release, [server.url])
    const { connection } = openSeen({ url: proxy.url })
    connection.text.insert(0, 'before')
    await connection.flush()
    await server.close()
    connection.text.insert(0, 'after, ')
    await reached(connection, ({ connection }) => connection === 'offline')
    await server.restart()
    await connection.flush()
    await contains(open({ url: server.url }), 'after, before')
  })

  test('a full document: said, until there is room again', async () => {
    const { url, server } = await behindProxy({}, { options: { maxDocumentBytes: 20_000 } })
    await server.edit('notes', (doc) => doc.getText('content').insert(0, 'x'.repeat(19_000)))
    const { connection } = openSeen({ url })
    const codes = recordErrors(connection)
    await connection.whenSynced
    connection.text.insert(0, 'y'.repeat(2_000))
    await reached(connection, ({ error }) => error?.code === 'FULL')
    expect(connection.state).toMatchObject({ connection: 'online', saved: false })
    expect(codes).toEqual(['FULL'])
  })

  test('an edit that is too large: said until it is undone and the rest is stored', async () => {
    const { url } = await behindProxy({}, { options: { maxBodyBytes: 10_000 } })
    const { connection, clock } = openSeen({ url })
    await connection.flush()
    connection.text.insert(0, 'x'.repeat(20_000))
    await reached(connection, ({ error }) => error?.code === 'TOO_LARGE')
    connection.text.delete(10, 20_000)
    clock.leap(30_000)
    await connection.flush()
    expect(connection.state).toMatchObject({ error: null, saved: true, transport: 'http' })
  })

  test('a value that is nested too deep: deleted, said, and what follows is saved', async () => {
    const { url } = await behindProxy()
    const { connection } = openSeen({ url })
    const codes = recordErrors(connection)
    await connection.flush()
    let deep: unknown = 0
    for (let depth = 0; depth < 1_100; depth++) deep = [deep]
    connection.doc.getMap('values').set('deep', deep)
    connection.text.insert(0, 'after')
    await connection.flush()
    expect(codes).toEqual(['TOO_DEEP'])
  })

  test('a deleted document: gone', async () => {
    const { url, server } = await behindProxy()
    const { connection } = openSeen({ url })
    connection.text.insert(0, 'a')
    await connection.flush()
    await server.delete('notes')
    await expect(connection.flush()).resolves.toBeUndefined()
    await reached(connection, ({ access }) => access === 'denied')
    expect(connection.state).toMatchObject({ code: 4404, error: { code: 'GONE' } })
  })

  test('a name that the server does not take: denied, as by a WebSocket', async () => {
    const { url } = await behindProxy()
    const connection = open({ url, document: 'x'.repeat(300) })
    await expect(connection.whenSynced).rejects.toMatchObject({ code: 'DENIED' })
    expect(connection.state).toMatchObject({ access: 'denied', code: 4400 })
  })
})

describe('a token by HTTP', () => {
  const options = { options: { authSecret: SECRET } }

  test('goes in a header, and in no address', async () => {
    const { url, proxy } = await behindProxy({}, options)
    const connection = open({ url, token: () => token() })
    connection.text.insert(0, 'mine')
    await connection.flush()
    expect(connection.state.transport).toBe('http')
    expect(proxy.requests.filter((line) => /token|ey[A-Z]/.test(line))).toEqual([])
  })

  test('that is not good is asked for anew, and then the page is signed out', async () => {
    const { url } = await behindProxy({}, options)
    let asked = 0
    const { connection, clock } = openSeen({
      url,
      token: async () => {
        asked += 1
        return 'forged'
      },
    })
    await reached(connection, ({ retryAt }) => asked === 2 && retryAt !== null)
    clock.leap(5_000)
    await reached(connection, ({ access }) => access === 'denied')
    expect(connection.state).toMatchObject({ code: 4401, error: { code: 'SIGNED_OUT' } })
  })

  test('that allows to read alone: so it says, and edits are not taken', async () => {
    const { url, server } = await behindProxy({}, options)
    await server.edit('public/a', (doc) => doc.getText('content').insert(0, 'to read'))
    const { connection } = openSeen({ url, document: 'public/a', token: () => token() })
    await contains(connection, 'to read')
    await reached(connection, ({ access }) => access === 'read')
    connection.text.insert(0, 'not ')
    await server.edit('public/a', (doc) => doc.getText('content').insert(7, ' on'))
    await contains(connection, 'not to read on')
    expect((await server.read('public/a')).getText('content').toString()).toBe('to read on')
  })

  test('that was revoked ends it', async () => {
    const { url, server } = await behindProxy({}, options)
    const { connection, clock } = openSeen({ url, token: () => token({ iat: Math.floor(Date.now() / 1000) - 60 }) })
    await connection.flush()
    connection.subscribe(({ retryAt }) => retryAt !== null && queueMicrotask(() => clock.leap(5_000)))
    await server.revoke({ user: 'ada' })
    await reached(connection, ({ access }) => access === 'denied')
    expect(connection.state).toMatchObject({ code: 4401 })
  })
})
