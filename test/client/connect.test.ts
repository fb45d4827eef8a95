import { describe, expect, onTestFinished, test, vi } from 'vitest'
import WebSocket from 'ws'
import { connect, type WebSocketClass } from '../../client/src/connect.ts'
import { type ConnectionState, INITIAL_STATE } from '../../client/src/state.ts'
import { contains, open, reached, recordErrors, startRestartable } from '../support/connections.ts'
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
    expect(connection.state).toEqual({ ...INITIAL_STATE, connection: 'offline' })
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

describe('access "read"', () => {
  test('reads what others write, and is not asked for what it has', async () => {
    const { url } = await startRestartable()
    const writer = open({ url })
    writer.text.insert(0, 'for all to read')
    await writer.flush()
    const reader = open({ url, access: 'read' })
    expect(reader.state.access).toBe('read')
    await contains(reader, 'for all to read')
    await reader.whenSynced
    writer.text.insert(0, 'now: ')
    await contains(reader, 'now: for all to read')
    expect(reader.state).toMatchObject({ access: 'read', saved: false, unsaved: 0 })
    await expect(reader.flush()).rejects.toMatchObject({ code: 'DENIED' })
  })

  test('is what the server allows, told before anything is typed; what is typed nobody gets to see', async () => {
    const { url } = await startRestartable()
    // As a server does that tells by the token who may write.
    const reader = open({ url, WebSocket: readOnlySockets() })
    await reader.whenSynced
    expect(reader.state.access).toBe('read')
    reader.text.insert(0, 'not allowed')
    expect(reader.state).toMatchObject({ saved: false, unsaved: 1 })
    const other = open({ url })
    await other.flush()
    expect(other.text.toString()).toBe('')
  })
})

describe('errors', () => {
  test('a server that cannot be reached: after three attempts, once, until there is a socket again', async () => {
    const server = await startRestartable()
    const connection = open({ url: server.url })
    const codes = recordErrors(connection)
    await connection.flush()
    await server.close()
    await reached(connection, ({ error }) => error !== null)
    expect(connection.state).toMatchObject({ connection: 'offline', error: { code: 'UNREACHABLE' } })
    await server.restart()
    await connection.flush()
    expect(connection.state.error).toBeNull()
    expect(codes).toEqual(['UNREACHABLE'])
  })

  test('a runtime that opens no socket to such an address: said, and tried again', async () => {
    const { url } = await startRestartable()
    let attempts = 0
    class ForbiddenAtFirst extends WebSocket {
      constructor(...parameters: ConstructorParameters<typeof WebSocket>) {
        attempts += 1
        if (attempts === 1) throw new Error('insecure')
        super(...parameters)
      }
    }
    const connection = open({ url, WebSocket: ForbiddenAtFirst })
    expect(connection.state).toMatchObject({ connection: 'offline', error: { code: 'UNREACHABLE' } })
    expect(connection.state.error?.cause).toMatchObject({ message: 'insecure' })
    await connection.flush()
    expect(connection.state.error).toBeNull()
  })

  test('an edit that is too large for the server: said until it is undone and the rest is stored', async () => {
    const { url } = await startRestartable({ maxMessageBytes: 10_000 })
    const clock = new ManualClock()
    const connection = open({ url }, { clock })
    const codes = recordErrors(connection)
    await connection.flush()
    connection.text.insert(0, 'x'.repeat(20_000))
    await reached(connection, ({ error }) => error !== null)
    expect(connection.state).toMatchObject({ connection: 'offline', error: { code: 'TOO_LARGE' }, unsaved: 1 })
    // Not at once: the same message would be refused again.
    expect(clock.pending).toEqual([30_000])
    clock.advance(30_000)
    await reached(connection, ({ connection }) => connection === 'online')
    await reached(connection, ({ connection }) => connection === 'offline')
    expect(connection.state.error).toMatchObject({ code: 'TOO_LARGE' })
    connection.text.delete(10, 20_000)
    clock.advance(30_000)
    await connection.flush()
    expect(connection.state).toMatchObject({ error: null, saved: true, unsaved: 0 })
    expect(codes).toEqual(['TOO_LARGE'])
  })

  test('a document that is full: said until something is deleted and the rest is stored', async () => {
    const { url } = await startRestartable({ maxDocumentBytes: 10_000, compactIntervalMs: 100 })
    const connection = open({ url })
    const codes = recordErrors(connection)
    connection.text.insert(0, 'x'.repeat(8_000))
    await connection.flush()
    connection.text.insert(0, 'y'.repeat(4_000))
    await reached(connection, ({ error }) => error !== null)
    expect(connection.state).toMatchObject({
      connection: 'online',
      error: { code: 'FULL' },
      saved: false,
      access: 'write',
    })
    connection.text.delete(4_000, 8_000)
    await connection.flush()
    expect(connection.state).toMatchObject({ error: null, saved: true, unsaved: 0 })
    expect(codes).toEqual(['FULL'])
    const reader = open({ url })
    await contains(reader, 'y'.repeat(4_000))
  })

  test('access for good denied is an error, a state, and over with resume', async () => {
    const { url } = await startRestartable()
    const connection = open({ url, document: 'x'.repeat(300) })
    const codes = recordErrors(connection)
    await reached(connection, ({ access }) => access === 'denied')
    expect(connection.state.error).toMatchObject({ code: 'DENIED' })
    connection.resume()
    expect(connection.state.access).toBe('write')
    await reached(connection, ({ access }) => access === 'denied')
    expect(codes).toEqual(['DENIED', 'DENIED'])
  })

  test('an offline copy without a user to keep it for', () => {
    for (const user of [undefined, { name: 'Ann' }]) {
      const connecting = () =>
        connect({ url: 'ws://127.0.0.1:1', document: 'notes', WebSocket, offline: true, ...(user && { user }) })
      expect(connecting).toThrow(expect.objectContaining({ code: 'USER_MISSING' }))
    }
  })

  test('a runtime that keeps no offline copy: it works without one, and says so once', async () => {
    const { url } = await startRestartable()
    const connection = open({ url, offline: true, user: { id: 'ann', name: 'Ann' } })
    const codes = recordErrors(connection)
    await reached(connection, ({ copy }) => copy === 'failed')
    await connection.flush()
    expect(codes).toEqual(['OFFLINE_COPY_FAILED'])
    expect(connection.state.error).toBeNull()
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

/** Sockets whose every address asks for a connection that cannot write. */
function readOnlySockets(): WebSocketClass {
  return class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(`${url}?access=read`, protocols)
    }
  }
}
