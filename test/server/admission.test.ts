import { EventEmitter, once } from 'node:events'
import { createServer as createHttpServer, IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Authority } from '../../server/src/auth/authority.ts'
import type { Grant } from '../../server/src/auth/grant.ts'
import { parseOptions } from '../../server/src/config/config.ts'
import { Admission, type Visitor } from '../../server/src/http/admission.ts'
import { createServer, type ServerOptions } from '../../server/src/index.ts'
import { Gate } from '../support/gate.ts'
import { recordingLog } from '../support/log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { openRawSocket } from '../support/raw-socket.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const release = onTestFinished
const ADDRESS = '203.0.113.7'
const FULL = expect.objectContaining({ code: 'TOO_MANY_CONNECTIONS' })

/** What a visitor is connected by, in the hand of the test. */
class HandmadeLine extends EventEmitter {
  /** Called when somebody asks whether it is closed. */
  readonly #asked: () => void
  #isClosed = false

  constructor(asked: () => void = () => undefined) {
    super()
    this.#asked = asked
  }

  get destroyed(): boolean {
    this.#asked()
    return this.#isClosed
  }

  close(): void {
    this.#isClosed = true
    this.emit('close')
  }
}

interface SceneOptions {
  readonly options?: ServerOptions
  readonly grant?: () => Grant | Promise<Grant>
}

/** An admission behind a proxy on this machine. */
async function setScene({ options = {}, grant = () => ({ access: 'write' }) }: SceneOptions) {
  const config = parseOptions(options, true)
  const clock = new ManualClock()
  const { log } = recordingLog()
  const storage = { loadRevocations: async () => [], storeRevocations: async () => undefined }
  const authority = new Authority({ config, clock, log, storage, authenticate: grant })
  await authority.open()
  const admission = new Admission({ config, authority, checkHost: () => undefined })
  const knock = (line: HandmadeLine, document = 'notes') => {
    const request = new IncomingMessage(new Socket())
    request.url = `/${document}?access=read`
    request.headers['x-forwarded-for'] = ADDRESS
    Object.defineProperty(request.socket, 'remoteAddress', { value: '127.0.0.1' })
    return admission.knock(request, line, document)
  }
  const ended: string[] = []
  const admit = (visitor: Visitor) => admission.admit(visitor, ({ code }) => ended.push(code))
  return { admission, authority, clock, ended, knock, admit }
}

describe('an address', () => {
  test('has its place back when the line closes, once', async () => {
    const { knock } = await setScene({ options: { maxConnectionsPerAddress: 2 } })
    const [first, second] = [new HandmadeLine(), new HandmadeLine()]
    expect(knock(first).query.get('access')).toBe('read')
    knock(second)
    expect(() => knock(new HandmadeLine())).toThrow(FULL)
    first.close()
    first.close()
    knock(new HandmadeLine())
    expect(() => knock(new HandmadeLine())).toThrow(FULL)
  })

  test('has none for a line that closed before it could be listened to', async () => {
    const { knock, admit } = await setScene({ options: { maxConnectionsPerAddress: 1 } })
    const gone = new HandmadeLine()
    gone.close()
    expect(await admit(knock(gone))).toBeUndefined()
    knock(new HandmadeLine())
  })
})

describe('a document and a user', () => {
  const options = { maxConnectionsPerDocument: 1, maxConnectionsPerUser: 2 }

  test('have their places back when the line closes, and the lease is over', async () => {
    const { knock, admit, authority, ended } = await setScene({ options })
    const line = new HandmadeLine()
    const lease = await admit(knock(line))
    await expect(admit(knock(new HandmadeLine()))).rejects.toEqual(FULL)
    expect(lease?.isOver).toBe(false)
    line.close()
    expect(lease?.isOver).toBe(true)
    await authority.revoke({ document: 'notes' })
    expect(ended).toEqual([])
    expect((await admit(knock(new HandmadeLine(), 'others')))?.permit.document).toBe('others')
  })

  test('keep none for a line that closed while access was checked', async () => {
    const gate = new Gate()
    const { knock, admit } = await setScene({ options, grant: () => gate.opened.then(() => ({ access: 'write' })) })
    const line = new HandmadeLine()
    const admitted = admit(knock(line))
    line.close()
    gate.open()
    expect(await admitted).toBeUndefined()
    expect(await admit(knock(new HandmadeLine()))).toBeDefined()
  })

  test('keep none for a line that is refused by the other', async () => {
    const { knock, admit } = await setScene({ options, grant: () => ({ access: 'write', user: 'ada' }) })
    await admit(knock(new HandmadeLine()))
    await expect(admit(knock(new HandmadeLine()))).rejects.toEqual(FULL)
    expect(await admit(knock(new HandmadeLine(), 'others'))).toBeDefined()
    await expect(admit(knock(new HandmadeLine(), 'more'))).rejects.toEqual(FULL)
  })

  test('have their places back after a visitor whose access ended before he was in', async () => {
    const lifetimesMs = [1]
    const grant = () =>
      ({ access: 'write', expiresAt: new ManualClock().now() + (lifetimesMs.shift() ?? 60_000) }) as const
    const { knock, admit, clock, ended } = await setScene({ options, grant })
    const visitor = knock(new HandmadeLine())
    const line = new HandmadeLine(() => clock.advance(1))
    await expect(admit({ ...visitor, line })).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    expect(ended).toEqual([])
    await expect(admit(knock(new HandmadeLine()))).rejects.toEqual(FULL)
    line.close()
    expect(await admit(knock(new HandmadeLine()))).toBeDefined()
  })
})

test('a socket that closes while the server opens takes no place of its address', async () => {
  const { log } = recordingLog()
  const options = { data: await temporaryDirectory(release), shutdownSpreadMs: 0, maxConnectionsPerAddress: 1 }
  const coedit = createServer(options, { log })
  release(() => coedit.close())
  const http = createHttpServer()
  const gone = new Promise((resolve) => {
    http.once('upgrade', (request, socket, head) => {
      // Node remembers the address of a closed socket where it was asked for before, as an app does that logs it.
      expect(request.socket.remoteAddress).toBe('127.0.0.1')
      coedit.handleUpgrade(request, socket, head)
      socket.once('close', resolve).destroy()
      http.on('upgrade', (...upgrade) => coedit.handleUpgrade(...upgrade))
    })
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  release(async () => {
    http.closeAllConnections()
    http.close()
  })
  const address = http.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on a port')
  const url = `http://127.0.0.1:${address.port}/`
  const attempt = () => openRawSocket({ release, url, target: '/notes', headers: { 'X-Forwarded-For': ADDRESS } })
  void attempt() // it is never answered
  await gone
  await coedit.open()
  expect((await (await attempt()).answer).status).toBe(101)
})
