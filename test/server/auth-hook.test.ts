import { describe, expect, onTestFinished, test } from 'vitest'
import type { Authenticate, AuthRequest, Hooks } from '../../server/src/index.ts'
import { CoeditError, createServer } from '../../server/src/index.ts'
import { refusedSocket, refusedStream, storedNames } from '../support/admission.ts'
import { edit } from '../support/edits.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { renewal, update } from '../support/messages.ts'
import { connectRaw } from '../support/raw-client.ts'
import { allRead, syncedClient, textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'

describe('authenticate', () => {
  test('is asked with what is known, for each connection and each stream', async () => {
    const asked: AuthRequest[] = []
    const authenticate: Authenticate = (request) => {
      asked.push(request)
      return null
    }
    const { url } = await startInProcess({ release, authenticate, options: { authCookie: 'session' } })
    await refusedSocket({ release, url, document: 'a b/ü', token: 'of.the.app' })
    await refusedStream({ release, url, document: 'a b/ü', token: 'of.the.app' })
    await refusedStream({ release, url, token: undefined })
    const known = { document: 'a b/ü', token: 'of.the.app', address: undefined, origin: undefined }
    expect(asked).toEqual([
      { ...known, headers: expect.objectContaining({ 'sec-websocket-protocol': 'coedit.v1' }) },
      { ...known, headers: expect.objectContaining({ authorization: 'Bearer of.the.app' }) },
      { ...known, document, token: undefined, headers: expect.anything() },
    ])
  })

  test('lets in who it knows, for as long and as far as it says', async () => {
    const clock = new ManualClock()
    const authenticate: Authenticate = async ({ token }) => {
      if (token === 'writer') return { access: 'write', user: 'ada', expiresAt: clock.now() + 5000 }
      return token === 'reader' ? { access: 'read' } : null
    }
    const { url } = await startInProcess({ release, clock, authenticate })
    const [writer, reader] = await Promise.all(
      ['writer', 'reader'].map((token) => connectRaw({ release, url, document, query: `?token=${token}` })),
    )
    for (const client of [writer, reader]) {
      await client.follow()
      client.send(update(edit(`by ${client === writer ? 'writer' : 'reader'}`).update))
    }
    await reader.until('the edit came', () => textOf(reader).toString() === 'by writer')
    expect(reader.all('denied')).toHaveLength(1)
    clock.advance(5000)
    expect((await writer.closed).code).toBe(4401)
    expect(reader.isOpen).toBe(true)
  })

  test('is asked before anything is loaded', async () => {
    const loaded: string[] = []
    const hooks: Hooks = {
      load: ({ name }) => {
        loaded.push(name)
        return undefined
      },
    }
    const authenticate: Authenticate = ({ token }) => (token === 'good' ? { access: 'write' } : null)
    const { url } = await startInProcess({ release, authenticate, hooks })
    await refusedSocket({ release, url, token: 'bad' })
    await refusedStream({ release, url, token: 'bad' })
    expect(loaded).toEqual([])
    const client = await connectRaw({ release, url, document, query: '?token=good' })
    await client.follow()
    expect(loaded).toEqual([document])
  })

  test('works with the clients as they are', async () => {
    const authenticate: Authenticate = ({ headers }) => (headers['sec-websocket-key'] ? { access: 'write' } : null)
    const { url } = await startInProcess({ release, authenticate })
    const [first, second] = [
      await syncedClient({ release, url, document }),
      await syncedClient({ release, url, document }),
    ]
    textOf(first).insert(0, 'shared')
    await allRead([first, second], 'shared')
  })

  test.each<[string, Authenticate, number, [number, string]]>([
    ['nobody', () => null, 4401, [401, 'UNAUTHORIZED']],
    ['nobody, later', async () => null, 4401, [401, 'UNAUTHORIZED']],
    ['somebody who may not', () => ({ access: 'none' }), 4403, [403, 'FORBIDDEN']],
    ['somebody whose time is over', () => ({ access: 'write', expiresAt: 1 }), 4401, [401, 'UNAUTHORIZED']],
  ])('keeps out %s', async (_, authenticate, code, answer) => {
    const { url, server, data } = await startInProcess({ release, authenticate })
    expect((await refusedSocket({ release, url, token: 'x' })).code).toBe(code)
    expect(await refusedStream({ release, url, token: 'x' })).toEqual(answer)
    await server.close()
    expect(await storedNames(data)).toEqual([])
  })

  test.each<[string, Authenticate]>([
    ['throws', () => fail()],
    ['rejects', async () => fail()],
    ['rejects with nothing', () => Promise.reject()],
    ['never answers', () => new Promise(() => undefined)],
    ['answers nonsense', () => JSON.parse('{"access":"admin"}')],
    ['answers true', () => JSON.parse('true')],
    ['answers undefined', () => JSON.parse('{}').grant],
  ])('that %s lets nobody in, is logged, and sends nobody away for good', async (_, authenticate) => {
    const { url, lines, server, data } = await startInProcess({
      release,
      authenticate,
      options: { authTimeoutMs: 100 },
    })
    expect((await refusedSocket({ release, url, token: 'x' })).code).toBe(1013)
    expect(await refusedStream({ release, url, token: 'x' })).toEqual([503, 'AUTH_UNAVAILABLE'])
    expect(lines.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
      'authentication failed',
      'authentication failed',
    ])
    await server.close()
    expect(await storedNames(data)).toEqual([])
  })

  test('that fails for one holds up nobody else', async () => {
    const authenticate: Authenticate = ({ token }) =>
      token === 'slow' ? new Promise(() => undefined) : { access: 'write' }
    const { url, server } = await startInProcess({ release, authenticate })
    const slow = await connectRaw({ release, url, document, query: '?token=slow' })
    const quick = await connectRaw({ release, url, document })
    await quick.follow()
    expect(slow.messages).toEqual([])
    await server.close()
    expect((await slow.closed).code).toBe(1012)
  })

  test('that cannot tell at present ends no connection that asks for a renewal', async () => {
    let isBroken = false
    const authenticate: Authenticate = () => (isBroken ? fail() : { access: 'write' })
    const { url, lines } = await startInProcess({ release, authenticate })
    const client = await connectRaw({ release, url, document, protocols: ['coedit.v1'] })
    await client.follow()
    isBroken = true
    client.send(renewal('x'))
    await client.roundTrip()
    await client.roundTrip()
    expect(lines.map(({ message }) => message)).toContain('authentication failed')
    expect(client.isOpen).toBe(true)
  })

  test('decides anew after a revocation, though its answer is of before', async () => {
    const clock = new ManualClock()
    const answers: (() => void)[] = []
    const authenticate: Authenticate = () =>
      new Promise((resolve) => answers.push(() => resolve({ access: 'write', user: 'ada' })))
    const { url, server } = await startInProcess({ release, clock, authenticate })
    const early = await connectRaw({ release, url, document })
    await server.revoke({ user: 'ada' })
    answers[0]?.()
    await clock.hasTimerOf(100)
    clock.advance(100)
    expect((await early.closed).code).toBe(4401)
    const late = await connectRaw({ release, url, document })
    answers[1]?.()
    await late.follow()
  })

  test('makes a public host safe, and does not go with options that it would make idle', () => {
    const authenticate: Authenticate = () => null
    expect(() => createServer({ host: '0.0.0.0' }, { authenticate })).not.toThrow()
    expect(() => createServer({ authSecret: 'x'.repeat(32) }, { authenticate })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining('authSecret') }),
    )
  })
})

function fail(): never {
  throw new CoeditError('INTERNAL', 'the database of the app is gone')
}
