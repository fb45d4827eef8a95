import { connectionOf, type ProviderOptions } from '@coedit/client/y-websocket'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket as NodeWebSocket } from 'ws'
import { WebsocketProvider as Provider3 } from 'y-websocket'
import { WebsocketProvider as Provider2 } from 'y-websocket-v2'
import * as Y from 'yjs'
import { providerConformance } from '../conformance/provider.ts'
import { contains, open, reached, recordErrors, startRestartable } from '../support/connections.ts'
import { nodeWebSocket } from '../support/stock-clients.ts'
import { startStockServer } from '../support/stock-server.ts'

type ProviderClass = typeof Provider3
type Settings = NonNullable<ConstructorParameters<ProviderClass>[3]>

/** The types of the versions differ by what the connection looks for before it uses it. */
function isProviderClass(candidate: unknown): candidate is ProviderClass {
  return candidate === Provider3 || candidate === Provider2
}

/** A runtime in which no socket comes to be open. */
class NoSocket extends NodeWebSocket {
  constructor() {
    super('ws://127.0.0.1:1')
  }
}

const VERSIONS: readonly [string, unknown][] = [
  ['3.1', Provider3],
  ['2.1', Provider2],
]

describe.each(VERSIONS)('a provider of y-websocket %s', (_, version) => {
  function provide(url: string, settings: Settings = {}, document = 'notes') {
    if (!isProviderClass(version)) throw new Error('there is no such version')
    const doc = new Y.Doc()
    const provider = new version(url, document, doc, {
      protocols: ['coedit.v1'],
      WebSocketPolyfill: nodeWebSocket(),
      maxBackoffTime: 100,
      // Clients of one process would share edits past the server.
      disableBc: true,
      ...settings,
    })
    onTestFinished(() => {
      provider.destroy()
      doc.destroy()
    })
    return provider
  }

  function connected(url: string, settings?: Settings, options?: ProviderOptions) {
    const provider = provide(url, settings)
    return { provider, connection: connectionOf(provider, options) }
  }

  providerConformance((url, options) => {
    const { provider, connection } = connected(url, {}, options)
    return { connection, again: () => connectionOf(provider), destroy: () => provider.doc.destroy() }
  })

  test('the state names the server that the socket leads to, where it has a name', async () => {
    const server = await startRestartable({ nodeName: 'node-1' })
    const { connection } = connected(server.url)
    await connection.flush()
    expect(connection.state.node).toBe('node-1')
    await server.close()
    await reached(connection, ({ connection }) => connection === 'offline')
    expect(connection.state.node).toBe(null)
  })

  test('whose socket is open and has sent edits becomes saved only by what is counted from the start', async () => {
    const server = await startRestartable()
    const provider = provide(server.url)
    const text = provider.doc.getText('content')
    await new Promise<void>((resolve) => provider.once('sync', () => resolve()))
    for (const letter of 'abc') text.insert(0, letter)
    const connection = connectionOf(provider)
    expect(connection.state.saved).toBe(false)
    await connection.flush()
    text.insert(0, 'd')
    expect(connection.state.saved).toBe(false)
    await connection.flush()
    await contains(open({ url: server.url }), 'dcba')
  })

  test('gets what another tab has written stored where that tab has no connection', async () => {
    const server = await startRestartable()
    const { connection } = connected(server.url, { disableBc: false })
    await connection.flush()
    const tab = provide(server.url, { disableBc: false, WebSocketPolyfill: nodeWebSocket(NoSocket) })
    const claims: boolean[] = []
    connection.subscribe(({ saved }) => claims.push(saved))
    tab.doc.getText('content').insert(0, 'from a tab')
    await contains(connection, 'from a tab')
    expect(claims[0]).toBe(false)
    await connection.flush()
    await contains(open({ url: server.url }), 'from a tab')
  })

  test('that is refused for good tells why, comes back no more by itself, and does by resume', async () => {
    const { url } = await startRestartable()
    const provider = provide(url, {}, 'x'.repeat(300))
    const connection = connectionOf(provider)
    const codes = recordErrors(connection)
    await expect(connection.whenSynced).rejects.toMatchObject({ code: 'DENIED' })
    expect(connection.state).toMatchObject({ connection: 'offline', access: 'denied', code: 4400 })
    expect(connection.state).toHaveProperty('reason', expect.stringContaining('255'))
    expect(provider.shouldConnect).toBe(false)
    provider.roomname = 'notes'
    connection.resume()
    await connection.flush()
    expect(connection.state).toMatchObject({ access: 'write', error: null, saved: true })
    expect(codes).toEqual(['DENIED'])
  })

  test('that asks for reading alone may not flush', async () => {
    const { url } = await startRestartable()
    const { connection } = connected(url, { params: { access: 'read' } })
    await connection.whenSynced
    expect(connection.state).toMatchObject({ access: 'read', saved: false })
    await expect(connection.flush()).rejects.toMatchObject({ code: 'DENIED' })
  })

  test('tells of a document that is full until there is room', async () => {
    const { url } = await startRestartable({ maxDocumentBytes: 10_000, compactIntervalMs: 100 })
    const { connection } = connected(url)
    const codes = recordErrors(connection)
    connection.text.insert(0, 'x'.repeat(8_000))
    await connection.flush()
    connection.text.insert(0, 'y'.repeat(4_000))
    await reached(connection, ({ error }) => error?.code === 'FULL')
    expect(connection.state).toMatchObject({ connection: 'online', saved: false, access: 'write' })
    connection.text.delete(4_000, 8_000)
    await connection.flush()
    expect(codes).toEqual(['FULL'])
  })

  test('whose application gave a text of another name binds that', async () => {
    const { url } = await startRestartable()
    const provider = provide(url)
    const text = provider.doc.getText('body')
    expect(connectionOf(provider, { text }).text).toBe(text)
  })

  test('on another server than coedit’s shares edits, and saved is never claimed', async () => {
    const url = await startStockServer(onTestFinished)
    const { connection } = connected(url)
    const other = open({ url })
    const claims: boolean[] = []
    connection.subscribe(({ saved }) => claims.push(saved))
    await connection.whenSynced
    connection.text.insert(0, 'hello')
    await contains(other, 'hello')
    expect(claims).not.toContain(true)
  })

  test('that was given no name of a document is refused', () => {
    const provider = provide('ws://127.0.0.1:1', { connect: false })
    Reflect.set(provider, 'roomname', undefined)
    expect(() => connectionOf(provider)).toThrow(expect.objectContaining({ code: 'DOCUMENT_INVALID' }))
  })

  test('that does not offer coedit.v1 is refused with what to do', () => {
    const provider = provide('ws://127.0.0.1:1', { protocols: [], connect: false })
    expect(() => connectionOf(provider)).toThrow(expect.objectContaining({ code: 'PROTOCOL_MISSING' }))
  })
})
