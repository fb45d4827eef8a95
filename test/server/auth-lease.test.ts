import { describe, expect, onTestFinished, test } from 'vitest'
import { refusedSocket, refusedStream, storedNames } from '../support/admission.ts'
import { edit } from '../support/edits.ts'
import { partsOf, requestEvents } from '../support/event-stream.ts'
import { type InProcessServer, startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { presence, renewal, step2, update } from '../support/messages.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const document = 'notes'
/** When the clocks of these tests start, in the unit of tokens. */
const START = new ManualClock().now() / 1000
const MINUTE = 60_000

interface Scene extends InProcessServer {
  readonly clock: ManualClock
  /** A token that was issued as the test began and is good for a minute, but for the claims given. */
  readonly issue: (claims?: object) => Promise<string>
  readonly join: (valid: string, protocols?: readonly string[], name?: string) => Promise<RawClient>
  /** Asks for the event stream; resolves when it has begun. */
  readonly follow: (valid: string) => Promise<ReturnType<typeof partsOf>>
}

async function setScene(options: Parameters<typeof startInProcess>[0]['options'] = {}): Promise<Scene> {
  const clock = new ManualClock()
  const server = await startInProcess({ release, clock, options: { authSecret: SECRET, authLeewayMs: 0, ...options } })
  const { url } = server
  return {
    ...server,
    clock,
    issue: (claims = {}) => token({ iat: START, exp: START + 60, ...claims }),
    join: async (valid, protocols = ['coedit.v1'], name = document) => {
      const client = await connectRaw({ release, url, document: name, query: `?token=${valid}`, protocols })
      await client.follow()
      return client
    },
    follow: async (valid) => {
      const headers = { authorization: `Bearer ${valid}` }
      return partsOf(await requestEvents({ release, url, segment: document, headers }))
    },
  }
}

describe('R37 authLeewayMs', () => {
  const CLAIMS = ['nbf', 'exp'] as const
  /** A claim that is so many seconds beyond what it may be by a clock that is right. */
  const off = (claim: (typeof CLAIMS)[number], seconds: number) => ({
    [claim]: claim === 'exp' ? START - seconds : START + seconds,
  })

  test.each(CLAIMS)('%s may be off by 5 s', async (claim) => {
    const { url, issue, join } = await setScene({ authLeewayMs: undefined })
    await join(await issue(off(claim, 4)))
    const late = { release, url, token: await issue(off(claim, 6)) }
    expect(await refusedStream(late)).toEqual([401, 'UNAUTHORIZED'])
  })

  test('iat keeps nobody out', async () => {
    const { issue, join } = await setScene()
    await join(await issue({ iat: START + 3600 }))
  })

  test.each(CLAIMS)('%s may be off by more or less by option', async (claim) => {
    const patient = await setScene({ authLeewayMs: 60_000 })
    await patient.join(await patient.issue(off(claim, 59)))
    const strict = await setScene({ authLeewayMs: 0 })
    const late = { release, url: strict.url, token: await strict.issue(off(claim, 1)) }
    expect(await refusedStream(late)).toEqual([401, 'UNAUTHORIZED'])
  })

  test('keeps a connection for as long after its token has expired', async () => {
    const { clock, issue, join } = await setScene({ authLeewayMs: 5_000 })
    const client = await join(await issue())
    clock.advance(MINUTE + 4_999)
    expect(await isOpen(client)).toBe(true)
    clock.advance(1)
    expect(await client.closed).toEqual({ code: 4401, reason: 'the token has expired' })
  })
})

/** Whether the server still keeps the connection when it has read all that was sent. */
async function isOpen(client: RawClient): Promise<boolean> {
  await client.roundTrip()
  return client.isOpen
}

describe('THREATS auth: R38 expiry while connected', () => {
  test('closes with 4401 to the second', async () => {
    const { clock, issue, join } = await setScene()
    const client = await join(await issue())
    clock.advance(MINUTE - 1)
    expect(await isOpen(client)).toBe(true)
    clock.advance(1)
    expect(await client.closed).toEqual({ code: 4401, reason: 'the token has expired' })
  })

  test('ends an event stream, which is refused when it comes back', async () => {
    const { url, clock, issue, follow } = await setScene()
    const valid = await issue()
    const parts = await follow(valid)
    clock.advance(MINUTE)
    for await (const { kind } of parts) expect(kind).toBe('comment')
    expect(await refusedStream({ release, url, token: valid })).toEqual([401, 'UNAUTHORIZED'])
  })

  test('keeps what was sent before', async () => {
    const { server, data, clock, issue, join } = await setScene()
    const client = await join(await issue())
    client.send(step2(edit('x').update))
    await client.until('it is durable', () => client.acknowledged === 1)
    clock.advance(MINUTE)
    await client.closed
    await server.close()
    expect(await storedNames(data)).toEqual([document])
  })

  test('in a year is no reason to close today, though timers take no such delay', async () => {
    const { clock, issue, join } = await setScene()
    const client = await join(await issue({ exp: START + 366 * 24 * 3600 }))
    expect(Math.max(...clock.pending)).toBe(2 ** 31 - 1)
    clock.advance(2 ** 31 - 1)
    expect(Math.max(...clock.pending)).toBe(2 ** 31 - 1)
    client.cut()
  })
})

describe('R39 another token on the open connection', () => {
  test('extends it to the end of the new one', async () => {
    const { clock, issue, join } = await setScene()
    const client = await join(await issue())
    client.send(renewal(await issue({ exp: START + 120 })))
    await client.roundTrip()
    await clock.hasTimerOf(2 * MINUTE)
    clock.advance(2 * MINUTE - 1)
    expect(await isOpen(client)).toBe(true)
    clock.advance(1)
    expect(await client.closed).toEqual({ code: 4401, reason: 'the token has expired' })
  })

  test('may end earlier, too', async () => {
    const { clock, issue, join } = await setScene()
    const client = await join(await issue())
    client.send(renewal(await issue({ exp: START + 30 })))
    await clock.hasTimerOf(MINUTE / 2)
    clock.advance(MINUTE / 2)
    expect((await client.closed).code).toBe(4401)
  })

  test.each<[string, number, (issue: Scene['issue']) => Promise<string> | string]>([
    ['of another user closes with 4401', 4401, (issue) => issue({ sub: 'eve' })],
    ['of nobody closes with 4401', 4401, (issue) => issue({ sub: undefined })],
    ['that is not valid closes with 4401', 4401, () => 'letmein'],
    ['that is empty closes with 4401', 4401, () => ''],
    ['that has expired closes with 4401', 4401, (issue) => issue({ exp: START })],
    ['longer than 16 KiB closes with 4401', 4401, () => 'x'.repeat(16 * 1024 + 1)],
    ['that does not allow the document closes with 4403', 4403, (issue) => issue({ coedit: { write: ['other'] } })],
    ['that only allows reading closes with 1012', 1012, (issue) => issue({ coedit: { read: ['*'] } })],
  ])('%s', async (_, code, make) => {
    const { issue, join } = await setScene()
    const client = await join(await issue())
    client.send(renewal(await make(issue)))
    expect((await client.closed).code).toBe(code)
  })

  test('of a flood only the last one counts', async () => {
    const { clock, issue, join } = await setScene()
    const client = await join(await issue())
    const flood = await Promise.all(Array.from({ length: 50 }, (_, index) => issue({ exp: START + 61 + index })))
    client.send(...flood.map(renewal), renewal(await issue({ exp: START + 600 })))
    await client.roundTrip()
    await clock.hasTimerOf(10 * MINUTE)
    clock.advance(5 * MINUTE)
    expect(await isOpen(client)).toBe(true)
  })

  test('is ignored where coedit.v1 was not selected, whatever its bytes', async () => {
    const { clock, issue, join } = await setScene()
    const client = await join(await issue(), ['coedit'])
    client.send(renewal('letmein'), Uint8Array.of(101, 9, 9), Uint8Array.of(101))
    expect(await isOpen(client)).toBe(true)
    clock.advance(MINUTE)
    expect((await client.closed).code).toBe(4401)
  })

  test.each([
    ['is cut short', Uint8Array.of(101, 9, 120)],
    ['is no text', Uint8Array.of(101, 1, 0xff)],
    ['goes on', Uint8Array.of(101, 1, 120, 120)],
  ])('R31 that %s closes with 1008', async (_, message) => {
    const { issue, join } = await setScene()
    const client = await join(await issue())
    client.send(message)
    expect((await client.closed).code).toBe(1008)
  })
})

describe('THREATS auth: R40 revocation while connected', () => {
  test.each([
    ['user', { user: 'ada' }, 4401],
    ['token', { tokenId: 'one' }, 4401],
    ['document', { document }, 4403],
  ])('of a %s ends its connections and streams at once, and tells them a second later', async (_, target, code) => {
    const { server, clock, issue, join, follow } = await setScene()
    const valid = await issue({ jti: 'one' })
    const [client, parts] = [await join(valid), await follow(valid)]
    await server.revoke(target)
    expect(await parts.next()).toMatchObject({ done: true })
    await clock.hasTimerOf(1000)
    clock.advance(1000)
    expect((await client.closed).code).toBe(code)
  })

  test('ends a connection whose token was issued by a clock that runs ahead', async () => {
    const { server, clock, issue, join } = await setScene()
    const client = await join(await issue({ iat: START + 5 }))
    await server.revoke({ user: 'ada' })
    await clock.hasTimerOf(1000)
    clock.advance(1000)
    expect((await client.closed).code).toBe(4401)
  })

  test('takes nothing of what comes after it, shows nothing more, and keeps what came before', async () => {
    const { server, clock, issue, join } = await setScene()
    const [revoked, other] = [await join(await issue({ sub: 'eve' })), await join(await issue())]
    revoked.send(step2(edit('before').update), presence({ clientId: 7, clock: 1, state: {} }))
    await revoked.until('it is durable', () => revoked.acknowledged === 1)
    clock.advance(100)
    await other.until('it is seen', () => other.all('presence').length > 0)
    const heard = revoked.messages.length
    await server.revoke({ user: 'eve' })
    clock.advance(100)
    revoked.send(update(edit('after').update))
    other.send(step2(edit('by another').update))
    await other.until('it is durable', () => other.acknowledged === 1)
    await other.until('the revoked one has left', () => JSON.stringify(other.messages).includes('"state":null'))
    clock.advance(1000)
    await revoked.closed
    expect(revoked.messages).toHaveLength(heard)
    const text = (await join(await issue())).doc.getText('text').toString()
    expect([text.includes('before'), text.includes('by another'), text.includes('after')]).toEqual([true, true, false])
  })

  test('leaves everybody else alone', async () => {
    const { server, issue, join } = await setScene()
    const clients = [await join(await issue({ jti: 'two' })), await join(await issue({ sub: undefined }))]
    const elsewhere = await join(await issue({ sub: 'eve', jti: 'three' }), ['coedit.v1'], 'drafts/one')
    await server.revoke({ user: 'adam' })
    await server.revoke({ tokenId: 'one' })
    await server.revoke({ document })
    for (const client of clients) expect(client.isOpen).toBe(true)
    expect(await isOpen(elsewhere)).toBe(true)
  })

  test.each([
    ['user', { user: 'ada' }, 4401, 401],
    ['token', { tokenId: 'one' }, 4401, 401],
    ['document', { document }, 4403, 403],
  ])('of a %s refuses what was issued until then, also in the same second', async (_, target, code, status) => {
    const { url, server, clock, issue } = await setScene()
    clock.advance(999)
    await server.revoke(target)
    for (const [iat, delay] of [
      [START - 3600, 100],
      [START, 200],
      [undefined, 400],
    ] as const) {
      const attempt = { release, url, token: await issue({ jti: 'one', iat }) }
      expect((await refusedStream(attempt))[0]).toBe(status)
      const refused = refusedSocket(attempt)
      await clock.hasTimerOf(delay)
      clock.advance(delay)
      expect((await refused).code).toBe(code)
    }
  })

  test('lets in with what is issued later, but for a token that was revoked itself', async () => {
    const { url, server, clock, issue, join } = await setScene()
    await server.revoke({ user: 'ada' })
    await server.revoke({ document })
    await server.revoke({ tokenId: 'one' })
    clock.advance(1000)
    await join(await issue({ iat: START + 1, jti: 'two' }))
    const again = await issue({ iat: START + 1, jti: 'one' })
    expect(await refusedStream({ release, url, token: again })).toEqual([401, 'UNAUTHORIZED'])
  })

  test.each([{}, { user: '' }, { user: 'ada', document }, { users: ['ada'] }, { user: 'x'.repeat(16_385) }, null])(
    'of %j is refused, and revokes nothing',
    async (target) => {
      const { server, issue, join } = await setScene()
      const client = await join(await issue())
      await expect(Reflect.apply(server.revoke, server, [target])).rejects.toMatchObject({ code: 'OPTION_INVALID' })
      expect(await isOpen(client)).toBe(true)
    },
  )
})
