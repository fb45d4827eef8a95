import { describe, expect, onTestFinished, test } from 'vitest'
import WebSocket from 'ws'
import type { ConnectionState } from '../../client/src/connection/state.ts'
import { open, reached, recordErrors } from '../support/connections.ts'
import { startGuarded } from '../support/guarded-server.ts'
import { ManualClock } from '../support/manual-clock.ts'

const SIGNED_OUT = 4401

/** A token as identity providers give them, which expires at this time (milliseconds of the epoch). */
function jwt(expiresAt: number, subject = 'Zoë'): string {
  const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: subject, exp: expiresAt / 1000 })}.c2lnbmVk`
}

/** A token function that gives these tokens one after the other. A token that is an error is thrown. */
function giving(...tokens: readonly (string | Error)[]) {
  const rest = [...tokens]
  const source = {
    calls: 0,
    token: async () => {
      source.calls += 1
      const next = rest.length > 1 ? rest.shift() : rest[0]
      if (typeof next === 'string') return next
      throw next
    },
  }
  return source
}

function startServer(code = SIGNED_OUT) {
  return startGuarded({ release: onTestFinished, code })
}

const isDenied = ({ access }: ConnectionState) => access === 'denied'

describe('a token', () => {
  test('opens the document, and is no part of what the server answers', async () => {
    const server = await startServer()
    server.accept('letmein')
    const selected: string[] = []
    class WatchedSocket extends WebSocket {
      constructor(...parameters: ConstructorParameters<typeof WebSocket>) {
        super(...parameters)
        this.on('open', () => selected.push(this.protocol))
      }
    }
    const connection = open({ url: server.url, token: () => 'letmein', WebSocket: WatchedSocket })
    connection.text.insert(0, 'mine')
    await connection.flush()
    expect(server.tokens).toEqual(['letmein'])
    expect(selected).toEqual(['coedit.v1'])
  })

  test('is asked for once where the present one serves for the next connection, too', async () => {
    const server = await startServer()
    server.accept('letmein')
    const source = giving('letmein')
    const connection = open({ url: server.url, token: source.token })
    await connection.flush()
    server.cut()
    await reached(connection, ({ connection }) => connection === 'offline')
    await connection.flush()
    expect(server.tokens).toEqual(['letmein', 'letmein'])
    expect(source.calls).toBe(1)
  })
})

describe('a token that the server does not take', () => {
  test('is replaced by a new one, at once', async () => {
    const server = await startServer()
    server.accept('new')
    const source = giving('old', 'new')
    const connection = open({ url: server.url, token: source.token })
    const codes = recordErrors(connection)
    await connection.flush()
    expect(server.tokens).toEqual(['old', 'new'])
    expect(source.calls).toBe(2)
    expect(codes).toEqual([])
  })

  test('twice in a row is asked for once more 5 s later, when one that was too new is good', async () => {
    const clock = new ManualClock()
    const server = await startServer()
    const connection = open({ url: server.url, token: () => 'early' }, { clock })
    const codes = recordErrors(connection)
    await clock.hasTimerOf(5_000)
    expect(connection.state).toMatchObject({ connection: 'offline', access: 'write', error: null })
    server.accept('early')
    clock.advance(5_000)
    connection.text.insert(0, 'signed in')
    await connection.flush()
    expect(server.tokens).toEqual(['early', 'early', 'early'])
    expect(codes).toEqual([])
  })

  test('three times in a row signs out; with a valid one resume goes on, and nothing is lost', async () => {
    const clock = new ManualClock()
    const server = await startServer()
    server.accept('valid')
    const source = giving('stale', 'stale', 'stale', 'valid')
    const connection = open({ url: server.url, token: source.token }, { clock })
    const codes = recordErrors(connection)
    connection.text.insert(0, 'kept')
    await clock.hasTimerOf(5_000)
    clock.advance(5_000)
    await reached(connection, isDenied)
    expect(connection.state).toMatchObject({ code: SIGNED_OUT, reason: 'no valid token', unsaved: 1, saved: false })
    await expect(connection.flush()).rejects.toMatchObject({ code: 'SIGNED_OUT' })
    expect(codes).toEqual(['SIGNED_OUT'])
    connection.resume()
    await connection.flush()
    expect(connection.state).toMatchObject({ access: 'write', error: null, unsaved: 0 })
    expect(server.tokens).toEqual(['stale', 'stale', 'stale', 'valid'])
  })

  test('may be the present one again and again, as long as the next one is taken', async () => {
    const server = await startServer()
    server.accept('first')
    const source = giving('first', 'second', 'third')
    const connection = open({ url: server.url, token: source.token })
    for (const next of ['second', 'third']) {
      await connection.flush()
      server.accept(next)
      server.cut()
      await reached(connection, ({ connection }) => connection === 'offline')
    }
    await connection.flush()
    expect(server.tokens).toEqual(['first', 'first', 'second', 'second', 'third'])
  })

  test('without a token function signs out at once', async () => {
    const server = await startServer()
    const connection = open({ url: server.url })
    await expect(connection.whenSynced).rejects.toMatchObject({ code: 'SIGNED_OUT' })
    expect(server.tokens).toEqual([undefined])
  })

  test.each([
    [4403, 'DENIED'],
    [4404, 'GONE'],
    [4499, 'DENIED'],
  ])('with %i is %s at once, whatever the token', async (code, error) => {
    const server = await startServer(code)
    const source = giving('valid')
    const connection = open({ url: server.url, token: source.token })
    await expect(connection.whenSynced).rejects.toMatchObject({ code: error })
    expect(connection.state).toMatchObject({ access: 'denied', code, error: { code: error } })
    expect(source.calls).toBe(1)
  })
})

describe('a token function that fails', () => {
  test.each([
    ['throws', new Error('no network'), 'the token function failed'],
    ['gives nothing', '', 'no text'],
    ['gives a token that is no subprotocol', 'secret=', '"="'],
  ])('because it %s: said once, and tried again', async (_, fault, message) => {
    const server = await startServer()
    server.accept('letmein')
    const source = giving(fault, fault, 'letmein')
    const connection = open({ url: server.url, token: source.token })
    const codes = recordErrors(connection)
    await reached(connection, ({ error }) => error !== null)
    expect(connection.state).toMatchObject({ connection: 'offline', error: { code: 'TOKEN_FAILED' } })
    expect(connection.state.error?.message).toContain(message)
    expect(connection.state.error?.message).not.toContain('secret')
    await connection.flush()
    expect(connection.state.error).toBeNull()
    expect(codes).toEqual(['TOKEN_FAILED'])
    expect(server.tokens).toEqual(['letmein'])
  })
})

describe('a token that expires', () => {
  async function openWithClock(...tokens: readonly (string | Error)[]) {
    const clock = new ManualClock()
    const server = await startServer()
    const source = giving(...tokens)
    const [first] = tokens
    if (typeof first === 'string') server.accept(first)
    const connection = open({ url: server.url, token: source.token }, { clock })
    await connection.flush()
    return { clock, server, source, connection }
  }

  test('is renewed after four fifths of its time, and the next connection uses the new one', async () => {
    const start = new ManualClock().now()
    const old = jwt(start + 100_000)
    const fresh = jwt(start + 200_000)
    const { clock, server, source, connection } = await openWithClock(old, fresh)
    expect(source.calls).toBe(1)
    clock.advance(79_999)
    expect(source.calls).toBe(1)
    clock.advance(1)
    expect(source.calls).toBe(2)
    server.accept(fresh)
    server.cut()
    await reached(connection, ({ connection }) => connection === 'offline')
    clock.advance(100)
    await connection.flush()
    expect(server.tokens).toEqual([old, fresh])
    expect(source.calls).toBe(2)
  })

  test('and cannot be renewed in time: said, tried again, and no hindrance while the socket is open', async () => {
    const start = new ManualClock().now()
    const old = jwt(start + 100_000)
    const { clock, source, connection } = await openWithClock(old, new Error('no network'), jwt(start + 300_000))
    const failed = new Promise((resolve) => connection.onError(resolve))
    clock.advance(80_000)
    expect(await failed).toMatchObject({ code: 'TOKEN_FAILED', cause: { message: 'no network' } })
    expect(connection.state).toMatchObject({ connection: 'online', error: null })
    // The server has been silent all that time by this clock: it must get to answer.
    connection.text.insert(0, 'a')
    await connection.flush()
    clock.advance(15_999)
    expect(source.calls).toBe(2)
    clock.advance(1)
    expect(source.calls).toBe(3)
  })

  test('while there is no connection is replaced when there is to be one', async () => {
    const start = new ManualClock().now()
    const old = jwt(start + 100_000)
    const fresh = jwt(start + 300_000)
    const { clock, server, source, connection } = await openWithClock(old, fresh)
    connection.pause()
    clock.advance(100_001)
    expect(source.calls).toBe(1)
    server.accept(fresh)
    connection.resume()
    await connection.flush()
    expect(server.tokens).toEqual([old, fresh])
  })

  test('in a year is not renewed at once, though timers take no such delay', async () => {
    const start = new ManualClock().now()
    const { clock } = await openWithClock(jwt(start + 366 * 24 * 3600 * 1000))
    expect(Math.max(...clock.pending)).toBe(2 ** 31 - 1)
  })
})
