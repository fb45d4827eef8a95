import { connectionOf, type ProviderOptions } from '@coedit/client/hocuspocus'
import { HocuspocusProvider as Provider4, HocuspocusProviderWebsocket as Socket4 } from '@hocuspocus/provider'
import { HocuspocusProvider as Provider2, HocuspocusProviderWebsocket as Socket2 } from 'hocuspocus-provider-v2'
import { HocuspocusProvider as Provider3, HocuspocusProviderWebsocket as Socket3 } from 'hocuspocus-provider-v3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket as NodeWebSocket } from 'ws'
import { providerConformance } from '../conformance/provider.ts'
import { contains, open, reached, recordErrors, startRestartable } from '../support/connections.ts'
import { nodeWebSocket } from '../support/stock-clients.ts'
import { SECRET, token } from '../support/tokens.ts'

type ProviderClass = typeof Provider4
type SocketClass = typeof Socket4
type Settings = Partial<ConstructorParameters<ProviderClass>[0]>

/** The types of the versions differ by what the connection looks for before it uses it. */
function isProviderClass(candidate: unknown): candidate is ProviderClass {
  return candidate === Provider4 || candidate === Provider3 || candidate === Provider2
}

function isSocketClass(candidate: unknown): candidate is SocketClass {
  return candidate === Socket4 || candidate === Socket3 || candidate === Socket2
}

/** A provider that is destroyed while its socket is being opened listens to that no more. */
class QuietWebSocket extends NodeWebSocket {
  constructor(address: string | URL) {
    super(address)
    this.on('error', () => undefined)
  }
}

/** A runtime in which no socket comes to be open. */
class NoSocket extends QuietWebSocket {
  constructor() {
    super('ws://127.0.0.1:1')
  }
}

/** Tests wait for reconnects: they come as soon as may be. */
const PACE = { WebSocketPolyfill: nodeWebSocket(QuietWebSocket), delay: 50, minDelay: 50, jitter: false }

interface Version {
  readonly name: string
  readonly provider: unknown
  readonly socket: unknown
  /** Whether the provider makes its socket itself; else an application does, and may share it. */
  readonly isManaged: boolean
}

const VERSIONS: readonly Version[] = [
  { name: '4.8 with its own socket', provider: Provider4, socket: Socket4, isManaged: true },
  { name: '4.8', provider: Provider4, socket: Socket4, isManaged: false },
  { name: '3.4 with its own socket', provider: Provider3, socket: Socket3, isManaged: true },
  { name: '3.4', provider: Provider3, socket: Socket3, isManaged: false },
  // Its own socket would be of a class that this runtime may not have.
  { name: '2.15', provider: Provider2, socket: Socket2, isManaged: false },
]

describe.each(VERSIONS)('a provider of Hocuspocus $name', ({ provider: Provider, socket: Socket, isManaged }) => {
  const isOld = Provider === Provider2

  function socketFor(url: string, settings: object = {}) {
    if (!isSocketClass(Socket)) throw new Error('there is no such version')
    const socket = new Socket({ url: url.replace(/^http/, 'ws'), ...PACE, ...settings })
    onTestFinished(() => socket.destroy())
    return socket
  }

  function attached(socket: InstanceType<SocketClass>, settings: Settings = {}) {
    if (!isProviderClass(Provider)) throw new Error('there is no such version')
    // 2.15 shares edits with others of its process, past the server.
    const quiet = { quiet: true, broadcast: false }
    const provider = new Provider({ name: 'notes', ...quiet, ...settings, websocketProvider: socket })
    if (!isOld) provider.attach()
    onTestFinished(() => provider.destroy())
    return provider
  }

  function provide(url: string, settings: Settings = {}) {
    if (!isManaged) return attached(socketFor(url), settings)
    if (!isProviderClass(Provider)) throw new Error('there is no such version')
    const provider = new Provider({ name: 'notes', url: url.replace(/^http/, 'ws'), ...PACE, ...settings })
    onTestFinished(() => provider.destroy())
    return provider
  }

  function connected(url: string, settings?: Settings, options?: ProviderOptions) {
    const provider = provide(url, settings)
    return { provider, connection: connectionOf(provider, options) }
  }

  providerConformance((url, options) => {
    const { provider, connection } = connected(url, {}, options)
    return { connection, again: () => connectionOf(provider), destroy: () => provider.destroy() }
  })

  test('nothing is saved before the server has stored it, however often its socket is cut', async () => {
    const server = await startRestartable()
    const { connection } = connected(server.url)
    const reader = open({ url: server.url })
    const claims: string[] = []
    connection.subscribe(({ saved }) => saved && claims.push(connection.text.toString()))
    for (let round = 0; round < 5; round++) {
      connection.text.insert(0, `${round} `)
      if (round % 2 === 0) server.proxy.cut()
      await connection.flush()
      connection.text.insert(0, 'and ')
      server.proxy.cut()
      await connection.flush()
    }
    await contains(reader, connection.text.toString())
    expect(claims).toContain(connection.text.toString())
    expect(claims).not.toContain('')
  })

  test('whose document is open and has been edited says so from the start', async () => {
    const server = await startRestartable()
    const provider = provide(server.url)
    const text = provider.document.getText('content')
    for (const letter of 'abc') text.insert(0, letter)
    await new Promise<void>((resolve) => {
      const look = () => provider.synced && provider.unsyncedChanges === 0 && resolve()
      provider.on('unsyncedChanges', look)
      look()
    })
    const connection = connectionOf(provider)
    expect(connection.state).toMatchObject({ connection: 'online', synced: true, saved: true })
    text.insert(0, 'd')
    expect(connection.state).toMatchObject({ saved: false, unsaved: 1 })
    await connection.flush()
    await contains(open({ url: server.url }), 'dcba')
  })

  test('that shares no presence binds and saves all the same', async () => {
    const { url } = await startRestartable()
    const { connection } = connected(url, { awareness: null }, { user: { name: 'Ann' } })
    connection.text.insert(0, 'a')
    await connection.flush()
    expect(connection.awareness.getLocalState()).toMatchObject({ user: { name: 'Ann' } })
  })

  test('that is denied tells why, and comes back by resume with the next token', async () => {
    const { url } = await startRestartable({ authSecret: SECRET })
    const tokens = [await token({ coedit: { write: ['others'] } }), await token()]
    const { connection } = connected(url, { token: () => tokens.shift() ?? '' })
    const codes = recordErrors(connection)
    await expect(connection.whenSynced).rejects.toMatchObject({ code: 'DENIED' })
    expect(connection.state).toMatchObject({ connection: 'offline', access: 'denied', code: 4403 })
    expect(connection.state).toHaveProperty('reason', 'this document is not allowed')
    connection.text.insert(0, 'a')
    connection.resume()
    await connection.flush()
    expect(connection.state).toMatchObject({ connection: 'online', access: 'write', error: null, saved: true })
    expect(codes).toEqual(['DENIED'])
  })

  test('whose function for tokens fails says so, and asks it again by resume', async () => {
    const { url } = await startRestartable({ authSecret: SECRET })
    const valid = await token()
    let calls = 0
    const { connection } = connected(url, {
      token: () => {
        if (++calls === 1) throw new Error('signed out')
        return valid
      },
    })
    const codes = recordErrors(connection)
    await reached(connection, ({ error }) => error?.code === 'TOKEN_FAILED')
    expect(connection.state.error?.message).toContain('signed out')
    connection.resume()
    await connection.flush()
    expect(connection.state.error).toBeNull()
    expect(codes).toEqual(['TOKEN_FAILED'])
  })

  test('whose token allows reading alone may not flush', async () => {
    const { url } = await startRestartable({ authSecret: SECRET })
    const { connection } = connected(url, { name: 'public/1', token: await token() })
    await reached(connection, ({ access, synced }) => access === 'read' && synced)
    expect(connection.state).toMatchObject({ access: 'read', saved: false })
    await expect(connection.flush()).rejects.toMatchObject({ code: 'DENIED' })
  })

  test('rests where it had no socket when it was told to, and then comes back whole', async () => {
    const server = await startRestartable()
    const { provider, connection } = connected(server.url)
    await connection.flush()
    await server.close()
    await reached(connection, ({ connection }) => connection === 'offline')
    connection.pause()
    connection.text.insert(0, 'a')
    const opened = new Promise((resolve) => provider.configuration.websocketProvider.on('open', resolve))
    await server.restart()
    if (!isManaged) await opened
    expect(connection.state).toMatchObject({ connection: 'offline', saved: false })
    connection.resume()
    await connection.flush()
    connection.text.insert(0, 'b')
    await connection.flush()
    await contains(open({ url: server.url }), 'ba')
  })

  test('whose application gave a text of another name binds that, and one without a name is refused', () => {
    const provider = provide('ws://127.0.0.1:1')
    const text = provider.document.getText('body')
    expect(connectionOf(provider, { text }).text).toBe(text)
    const nameless = provide('ws://127.0.0.1:1', { name: '' })
    expect(() => connectionOf(nameless)).toThrow(expect.objectContaining({ code: 'DOCUMENT_INVALID' }))
  })

  if (!isManaged)
    test('of several on a socket each has a state of its own', async () => {
      const { url } = await startRestartable({ authSecret: SECRET })
      const socket = socketFor(url)
      const valid = await token()
      const [notes, other, denied] = ['notes', 'drafts/1', 'others'].map((name) =>
        connectionOf(attached(socket, { name, token: valid })),
      )
      await reached(denied, ({ access }) => access === 'denied')
      await Promise.all([notes.flush(), other.flush()])
      const claims: boolean[] = []
      other.subscribe(({ saved }) => claims.push(saved))
      notes.text.insert(0, 'a')
      notes.pause()
      notes.resume()
      await notes.flush()
      expect(claims).toEqual([])
      expect(other.state).toMatchObject({ connection: 'online', saved: true })
    })

  if (isOld)
    test('gets what another tab has written stored where that tab has no connection', async () => {
      const server = await startRestartable()
      const shared: object = { broadcast: true }
      const { provider, connection } = connected(server.url, shared)
      await connection.flush()
      void provider.connect()
      const tab = attached(socketFor(server.url, { WebSocketPolyfill: nodeWebSocket(NoSocket) }), shared)
      void tab.connect()
      const claims: boolean[] = []
      connection.subscribe(({ saved }) => claims.push(saved))
      tab.document.getText('content').insert(0, 'from a tab')
      await contains(connection, 'from a tab')
      expect(claims[0]).toBe(false)
      await connection.flush()
      await contains(open({ url: server.url }), 'from a tab')
    })

  if (Provider === Provider4)
    test('that gathers edits has them saved together', async () => {
      const { url } = await startRestartable()
      const { connection } = connected(url, { flushDelay: 50 })
      await connection.flush()
      for (const letter of 'abc') connection.text.insert(0, letter)
      expect(connection.state).toMatchObject({ saved: false, unsaved: 3 })
      await connection.flush()
      await contains(open({ url }), 'cba')
    })
})
