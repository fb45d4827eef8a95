import { describe, expect, onTestFinished, test, vi } from 'vitest'
import WebSocket from 'ws'
import { connect } from '../../client/src/connection/connect.ts'
import { type ConnectionState, INITIAL_STATE } from '../../client/src/connection/state.ts'
import { contains, open, reached, startRestartable } from '../support/connections.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { startStockServer } from '../support/stock-server.ts'

describe('connect', () => {
  test('what one writes, another reads', async () => {
    const { url } = await startRestartable()
    const ann = open({ url })
    const ben = open({ url })
    ann.text.insert(0, 'hello')
    await contains(ben, 'hello')
    expect(ben.doc.getText('content').toString()).toBe('hello')
  })

  test('a document that is empty becomes online, synced and saved, in this order and without a step back', async () => {
    const { url } = await startRestartable()
    const connection = open({ url })
    const seen: ConnectionState[] = [connection.state]
    connection.subscribe((state) => seen.push(state))
    await reached(connection, ({ saved, synced }) => saved && synced)
    expect(seen[0]).toEqual(INITIAL_STATE)
    expect(seen[1]).toEqual({ ...INITIAL_STATE, connection: 'online' })
    expect(seen.at(-1)).toEqual({ ...INITIAL_STATE, connection: 'online', synced: true, saved: true })
    expect(new Set(seen).size).toBe(seen.length)
  })

  test('an edit is not saved from the moment it is made until the server has stored it', async () => {
    const { url } = await startRestartable()
    const connection = open({ url })
    await connection.flush()
    connection.text.insert(0, 'a')
    expect(connection.state.saved).toBe(false)
    await connection.flush()
    expect(connection.state.saved).toBe(true)
  })

  test('another one’s edit does not make this one unsaved', async () => {
    const { url } = await startRestartable()
    const ann = open({ url })
    const ben = open({ url })
    await Promise.all([ann.flush(), ben.whenSynced])
    await ben.flush()
    const seen: boolean[] = []
    ann.subscribe(({ saved }) => seen.push(saved))
    ben.text.insert(0, 'a')
    await contains(ann, 'a')
    expect(seen).toEqual([])
  })

  test('edits made offline are unsaved until the new socket’s Step2 is stored', async () => {
    const server = await startRestartable()
    const connection = open({ url: server.url })
    connection.text.insert(0, 'online')
    await connection.flush()
    await server.close()
    await reached(connection, ({ connection }) => connection === 'offline')
    expect(connection.state).toMatchObject({ connection: 'offline', synced: false, saved: false, unsaved: 0 })
    connection.text.insert(0, 'offline, ')
    connection.text.delete(connection.text.length - 1, 1)

    await server.restart()
    await connection.flush()
    const reader = open({ url: server.url })
    await reader.whenSynced
    expect(reader.text.toString()).toBe('offline, onlin')
  })

  test('while the server cannot be reached it stays offline through all attempts', async () => {
    const server = await startRestartable()
    await server.close()
    const connection = open({ url: server.url })
    const seen: string[] = []
    connection.subscribe((state) => seen.push(state.connection))
    await reached(connection, (state) => state.connection === 'offline')
    await server.restart()
    await connection.flush()
    expect(seen.filter((value, index) => value !== seen[index - 1])).toEqual(['offline', 'online'])
  })

  test('what is flushed survives', async () => {
    const server = await startRestartable()
    const connection = open({ url: server.url })
    connection.text.insert(0, 'kept')
    await connection.flush()
    connection.destroy()
    await server.close()
    await server.restart()
    const reader = open({ url: server.url })
    await reader.whenSynced
    expect(reader.text.toString()).toBe('kept')
  })

  test('a server that refuses the document for good denies access and says why', async () => {
    const { url } = await startRestartable()
    const connection = open({ url, document: 'x'.repeat(300) })
    await expect(connection.whenSynced).rejects.toMatchObject({ code: 'DENIED' })
    await expect(connection.flush()).rejects.toMatchObject({ code: 'DENIED' })
    expect(connection.state).toMatchObject({ connection: 'offline', saved: false, access: 'denied', code: 4400 })
    expect(connection.state).toHaveProperty('reason', expect.stringContaining('255'))
  })

  test('destroying rejects those who wait, tells them the state no more and empties presence', async () => {
    const server = await startRestartable()
    await server.close()
    const connection = open({ url: server.url })
    const waiting = Promise.all([
      expect(connection.whenSynced).rejects.toMatchObject({ code: 'DESTROYED' }),
      expect(connection.flush()).rejects.toMatchObject({ code: 'DESTROYED' }),
    ])
    connection.destroy()
    await waiting
    await expect(connection.flush()).rejects.toMatchObject({ code: 'DESTROYED' })
    expect(connection.awareness.getLocalState()).toBeNull()
  })

  test('destroying leaves no timer, be it online or offline', async () => {
    const server = await startRestartable()
    const clock = new ManualClock()
    const online = open({ url: server.url, token: () => 'letmein' }, { clock })
    await online.flush()
    online.text.insert(0, 'a')
    online.destroy()
    expect(clock.pending).toEqual([])
    await server.close()
    const offline = open({ url: server.url }, { clock })
    await reached(offline, ({ connection }) => connection === 'offline')
    offline.destroy()
    offline.resume()
    expect(clock.pending).toEqual([])
  })

  test('the user is announced to others', async () => {
    const { url } = await startRestartable()
    const ann = open({ url, user: { id: 'ann@example.org', name: 'Ann', color: '#2456d6' } })
    const ben = open({ url })
    const seen = new Promise((resolve) => {
      ben.awareness.on('change', () => {
        const state = ben.awareness.getStates().get(ann.doc.clientID)
        if (state) resolve(state.user)
      })
    })
    expect(await seen).toEqual({ name: 'Ann', color: '#2456d6' })
  })

  test('without any WebSocket class it says what to pass', () => {
    vi.stubGlobal('WebSocket', undefined)
    onTestFinished(() => {
      vi.unstubAllGlobals()
    })
    expect(() => connect({ url: 'ws://127.0.0.1:1', document: 'notes' })).toThrow(
      expect.objectContaining({ code: 'WEBSOCKET_MISSING' }),
    )
  })

  test('the runtime’s own WebSocket is the default', async () => {
    vi.stubGlobal('WebSocket', WebSocket)
    onTestFinished(() => {
      vi.unstubAllGlobals()
    })
    const { url } = await startRestartable()
    const connection = connect({ url, document: 'notes' })
    onTestFinished(() => connection.destroy())
    await connection.flush()
  })
})

describe('what is unsaved', () => {
  test('is counted change by change, and is nothing when it is stored', async () => {
    const server = await startRestartable()
    const connection = open({ url: server.url })
    await connection.flush()
    await server.close()
    await reached(connection, (state) => state.connection === 'offline')
    connection.text.insert(0, 'a')
    connection.text.insert(1, 'b')
    expect(connection.state).toMatchObject({ unsaved: 2, saved: false })
    await server.restart()
    const claims: ConnectionState[] = []
    connection.subscribe((state) => claims.push(state))
    await connection.flush()
    expect(connection.state).toMatchObject({ unsaved: 0, saved: true })
    for (const { saved, unsaved } of claims) expect(unsaved).toBe(saved ? 0 : 2)
  })
})

describe('the time that an edit takes to be stored', () => {
  test('is that from the edit to its acknowledgement, and stays where the next edit waits for a connection', async () => {
    const server = await startRestartable()
    const clock = new ManualClock()
    const connection = open({ url: server.url }, { clock })
    connection.text.insert(0, 'before there is a socket')
    await connection.flush()
    expect(connection.state.saveTime).toBe(null)
    connection.text.insert(0, 'a')
    clock.advance(6)
    await connection.flush()
    expect(connection.state.saveTime).toBe(6)

    await server.close()
    await reached(connection, (state) => state.connection === 'offline')
    connection.text.insert(0, 'b')
    clock.advance(90)
    await server.restart()
    connection.reconnectNow()
    await connection.flush()
    expect(connection.state.saveTime).toBe(6)
  })
})

test('the state names the server that the socket leads to, where it has a name', async () => {
  const server = await startRestartable({ nodeName: 'node-1' })
  const connection = open({ url: server.url })
  await connection.flush()
  expect(connection.state.node).toBe('node-1')
  await server.close()
  await reached(connection, (state) => state.connection === 'offline')
  expect(connection.state.node).toBe(null)
  const nameless = open({ url: (await startRestartable()).url })
  await nameless.flush()
  expect(nameless.state.node).toBe(null)
})

describe('waiting for the next attempt', () => {
  test('has a time, which is then over, and can be cut short', async () => {
    const server = await startRestartable()
    const clock = new ManualClock()
    const connection = open({ url: server.url }, { clock })
    await connection.flush()
    expect(connection.state.retryAt).toBe(null)
    await server.close()
    await reached(connection, ({ retryAt }) => retryAt === clock.now() + 100)

    clock.advance(100)
    expect(connection.state).toMatchObject({ connection: 'offline', retryAt: null })
    await reached(connection, ({ retryAt }) => retryAt === clock.now() + 200)
    await server.restart()
    connection.reconnectNow()
    expect(connection.state.retryAt).toBe(null)
    await connection.flush()
    connection.reconnectNow()
    expect(connection.state).toMatchObject({ connection: 'online', retryAt: null, saved: true })
  })

  test('ends with a pause, which no attempt ends but its own end', async () => {
    const server = await startRestartable()
    const connection = open({ url: server.url })
    await server.close()
    await reached(connection, ({ retryAt }) => retryAt !== null)
    connection.pause()
    expect(connection.state.retryAt).toBe(null)
    await server.restart()
    connection.reconnectNow()
    expect(connection.state).toMatchObject({ connection: 'offline', retryAt: null })
    connection.resume()
    await connection.flush()
  })
})

describe('pause and resume', () => {
  test('while paused nothing goes out or comes in, though the server is there; then all is merged', async () => {
    const { url } = await startRestartable()
    const ann = open({ url })
    const ben = open({ url })
    await Promise.all([ann.flush(), ben.flush()])
    ann.pause()
    expect(ann.state).toMatchObject({ connection: 'offline', synced: false, saved: false })
    ann.text.insert(0, 'kept here')
    ben.text.insert(0, 'stored, ')
    await ben.flush()
    expect(ann.text.toString()).toBe('kept here')
    expect(ann.state).toMatchObject({ connection: 'offline', unsaved: 1 })

    ann.resume()
    await ann.flush()
    expect(ann.text.toString()).toContain('stored, ')
    expect(ann.text.toString()).toContain('kept here')
    await contains(ben, ann.text.toString())
  })

  test('a pause right after connecting leaves no socket behind', async () => {
    const { url } = await startRestartable()
    const sockets: WebSocket[] = []
    class CountedSocket extends WebSocket {
      constructor(...parameters: ConstructorParameters<typeof WebSocket>) {
        super(...parameters)
        sockets.push(this)
      }
    }
    const connection = open({ url, WebSocket: CountedSocket })
    connection.pause()
    connection.resume()
    connection.pause()
    connection.resume()
    await connection.flush()
    expect(sockets.filter(({ readyState }) => readyState <= WebSocket.OPEN)).toEqual([sockets[2]])
  })
})

describe('a server that does not acknowledge', () => {
  test('edits reach others, and saved is never claimed', async () => {
    const url = await startStockServer(onTestFinished)
    const ann = open({ url })
    const ben = open({ url })
    const claims: boolean[] = []
    ann.subscribe(({ saved }) => claims.push(saved))
    await Promise.all([ann.whenSynced, ben.whenSynced])
    ann.text.insert(0, 'hello')
    await contains(ben, 'hello')
    ben.text.insert(5, ' back')
    await contains(ann, 'hello back')
    expect(ann.state).toEqual({ ...INITIAL_STATE, connection: 'online', synced: true, unsaved: 1 })
    expect(claims).not.toContain(true)
  })
})
