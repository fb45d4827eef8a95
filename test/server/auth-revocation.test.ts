import { createServer as createHttpServer } from 'node:http'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Permit } from '../../server/src/auth/grant.ts'
import { Revocations } from '../../server/src/auth/revocations.ts'
import { createServer } from '../../server/src/index.ts'
import { revocationKey } from '../../server/src/storage/level/keys.ts'
import { refusedSocket, refusedStream } from '../support/admission.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { recordingLog } from '../support/log.ts'
import { connectRaw } from '../support/raw-client.ts'
import { RawLevel } from '../support/raw-level.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const document = 'notes'
const options = { authSecret: SECRET }
const TARGETS = [
  ['user', { user: 'ada' }, 4401, 401],
  ['token', { tokenId: 'one' }, 4401, 401],
  ['document', { document }, 4403, 403],
] as const

/** A token that was issued a minute before now, or so many seconds later. */
function issued(secondsLater = 0, claims: object = {}): Promise<string> {
  return token({ iat: Math.floor(Date.now() / 1000) - 60 + secondsLater, jti: 'one', ...claims })
}

describe('THREATS auth: R40 a revocation survives a restart', () => {
  test.each(TARGETS)('of a %s', async (_, target, code, status) => {
    const first = await startInProcess({ release, options })
    await first.server.revoke(target)
    await first.server.close()
    const { url } = await startInProcess({ release, options: { ...options, data: first.data } })
    const attempt = { release, url, token: await issued() }
    expect((await refusedSocket(attempt)).code).toBe(code)
    expect((await refusedStream(attempt))[0]).toBe(status)
  })

  test('and leaves everybody else alone, as well as what is issued later', async () => {
    const first = await startInProcess({ release, options })
    for (const target of [{ user: 'eve' }, { tokenId: 'two' }, { document: 'drafts/one' }, { user: 'ada' }]) {
      await first.server.revoke(target)
    }
    await first.server.close()
    const { url } = await startInProcess({ release, options: { ...options, data: first.data } })
    for (const valid of [await issued(0, { sub: 'zoe' }), await issued(120)]) {
      const client = await connectRaw({ release, url, document, query: `?token=${valid}` })
      await client.follow()
    }
  })

  test('whatever its name is made of', async () => {
    const users = ['😀 é', '"', '\\', '\u0000', ' ', '*', '__proto__', '\ud800', '\udfff', 'x'.repeat(2_000)]
    const first = await startInProcess({ release, options })
    for (const user of users) await first.server.revoke({ user })
    await first.server.close()
    const { url } = await startInProcess({ release, options: { ...options, data: first.data } })
    for (const sub of users) {
      expect(await refusedStream({ release, url, token: await issued(0, { sub }) })).toEqual([401, 'UNAUTHORIZED'])
    }
    const client = await connectRaw({ release, url, document, query: `?token=${await issued(0, { sub: '\ufffd' })}` })
    await client.follow()
  })

  test('made before the server was opened, which opens it', async () => {
    const data = await temporaryDirectory(release)
    const early = createServer({ ...options, data }, { log: recordingLog().log })
    await early.revoke({ user: 'ada' })
    await early.close()
    const { url } = await startInProcess({ release, options: { ...options, data } })
    expect(await refusedStream({ release, url, token: await issued() })).toEqual([401, 'UNAUTHORIZED'])
  })

  test('one that is damaged becomes one of everything until then', async () => {
    const first = await startInProcess({ release, options })
    await first.server.revoke({ user: 'eve' })
    await first.server.close()
    await RawLevel.use(first.data, (raw) => raw.flip(revocationKey(JSON.stringify({ user: 'eve' }))))
    const { url, lines } = await startInProcess({ release, options: { ...options, data: first.data } })
    expect(lines.filter(({ level }) => level === 'error')).toHaveLength(1)
    for (const sub of ['eve', 'ada']) {
      expect(await refusedStream({ release, url, token: await issued(0, { sub }) })).toEqual([401, 'UNAUTHORIZED'])
    }
  })

  test('rejects with STORAGE_CLOSED where it comes too late to be kept', async () => {
    const { server } = await startInProcess({ release, options })
    await server.close()
    await expect(server.revoke({ user: 'ada' })).rejects.toMatchObject({ code: 'STORAGE_CLOSED' })
  })
})

test('nobody is let in before it is known what was revoked', async () => {
  const coedit = createServer({ ...options, data: await temporaryDirectory(release) }, { log: recordingLog().log })
  release(() => coedit.close())
  const http = createHttpServer((request, response) => void coedit.handleRequest(request, response))
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  release(() => new Promise((resolve) => http.close(() => resolve())))
  const address = http.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on a port')
  const url = `http://127.0.0.1:${address.port}/`
  expect(await refusedStream({ release, url, token: await issued() })).toEqual([503, 'AUTH_UNAVAILABLE'])
})

describe('of more than can be remembered one by one', () => {
  const LIMIT = 2
  const permit: Permit = {
    document,
    access: 'write',
    user: 'zoe',
    tokenId: undefined,
    issuedAt: 10,
    expiresAt: Number.POSITIVE_INFINITY,
  }
  const full = () => {
    const revocations = new Revocations(LIMIT)
    const changes = [10, 20, 30].map((now) => revocations.add({ user: `user ${now}` }, now))
    return { revocations, changes }
  }
  const expectToHold = (revocations: Revocations) => {
    expect(revocations.against(permit)?.code).toBe('UNAUTHORIZED')
    expect(revocations.against({ ...permit, issuedAt: 11 })).toBeUndefined()
    for (const issuedAt of [10, 20, 30]) {
      expect(revocations.against({ ...permit, user: `user ${issuedAt}`, issuedAt })?.code).toBe('UNAUTHORIZED')
    }
  }

  test('the oldest becomes one of everything as old', () => {
    expectToHold(full().revocations)
  })

  test('that is stored in its place', () => {
    const stored = new Map<string | null, number>()
    for (const change of full().changes) {
      for (const target of change.forgotten) stored.delete(target)
      for (const { target, time } of change.stored) stored.set(target, time)
    }
    expect(stored.size).toBe(LIMIT + 1)
    const restored = new Revocations(LIMIT)
    restored.restore([...stored].map(([target, time]) => ({ target, time })).sort((a, b) => a.time - b.time))
    expectToHold(restored)
  })
})

test('a clock that was put back lets nobody in again', () => {
  const revocations = new Revocations()
  revocations.add({ user: 'ada' }, 20)
  expect(revocations.add({ user: 'ada' }, 10).stored).toEqual([expect.objectContaining({ time: 20 })])
})

describe('what other servers have stored', () => {
  const permitOf = (user: string, issuedAt: number) => ({
    user,
    tokenId: undefined,
    issuedAt,
    expiresAt: Number.POSITIVE_INFINITY,
  })

  test('is in force beside what is not stored yet, by the later time of both', () => {
    const revocations = new Revocations()
    const [ada, eve] = [revocations.add({ user: 'ada' }, 20), revocations.add({ user: 'eve' }, 10)]
    const [zoe] = new Revocations().add({ user: 'zoe' }, 15).stored
    revocations.restore([...ada.stored.map((stored) => ({ ...stored, time: 5 })), ...(zoe ? [zoe] : [])])
    for (const [user, until] of [
      ['ada', 20],
      ['eve', 10],
      ['zoe', 15],
    ] as const) {
      expect(revocations.against(permitOf(user, until))?.code).toBe('UNAUTHORIZED')
      expect(revocations.against(permitOf(user, until + 1))).toBeUndefined()
    }
    revocations.restore(eve.stored.map((stored) => ({ ...stored, time: 30 })))
    expect(revocations.against(permitOf('eve', 30))?.code).toBe('UNAUTHORIZED')
  })

  test('takes the place of what they have forgotten, so that no more are remembered than before', () => {
    const limit = 2
    const [mine, theirs] = [new Revocations(limit), new Revocations(limit)]
    const stored = new Map<string | null, number>()
    for (const now of [10, 20, 30, 40]) {
      const change = theirs.add({ user: `user ${now}` }, now)
      for (const target of change.forgotten) stored.delete(target)
      for (const { target, time } of change.stored) stored.set(target, time)
      mine.restore([...stored].map(([target, time]) => ({ target, time })).sort((a, b) => a.time - b.time))
    }
    expect(mine.against(permitOf('user 10', 20))?.code).toBe('UNAUTHORIZED')
    expect(mine.against(permitOf('user 30', 30))?.code).toBe('UNAUTHORIZED')
    expect(mine.add({ user: 'last' }, 50).forgotten).toEqual([JSON.stringify({ user: 'user 30' })])
  })
})
