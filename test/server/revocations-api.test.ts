import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { refusedSocket, refusedStream } from '../support/admission.ts'
import { requestEvents } from '../support/event-stream.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { startKeySetServer } from '../support/key-set-server.ts'
import { blockIn, filledIn } from '../support/papers.ts'
import { startServer } from '../support/process.ts'
import { connectRaw } from '../support/raw-client.ts'
import { speak } from '../support/raw-http.ts'
import { cases } from '../support/runs.ts'
import { keysFor, SECRET, token } from '../support/tokens.ts'

const run = promisify(execFile)
const release = onTestFinished
const document = 'notes'
const options = { authSecret: SECRET }
const RIGHTS = { revoke: true }

interface Call {
  readonly url: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: string
}

/** The status of the answer, and the code of its error. */
async function post({ url, body = { user: 'ada' }, headers = {}, query = '' }: Call): Promise<[number, string?]> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const answer = await fetch(`${url}api/revocations${query}`, { method: 'POST', headers, body: text })
  return answer.status === 204 ? [204] : [answer.status, JSON.parse(await answer.text()).error.code]
}

async function bearer(claims: object = {}): Promise<Record<string, string>> {
  return { authorization: `Bearer ${await token({ sub: 'admin', coedit: RIGHTS, ...claims })}` }
}

async function expectAdmitted(url: string): Promise<void> {
  const headers = { authorization: `Bearer ${await token()}` }
  const response = await requestEvents({ release, url, segment: document, headers })
  expect(response.statusCode).toBe(200)
  response.destroy()
}

describe('POST /api/revocations', () => {
  const revocations: readonly [object, number][] = [
    [{ user: 'ada' }, 4401],
    [{ document }, 4403],
  ]
  test.each(cases(revocations, [[{ tokenId: 'one' }, 4401]]))(
    'of %j ends connections, and holds when the process was killed the moment it was answered',
    async (body, code) => {
      const settings = { release, env: { COEDIT_AUTH_SECRET: SECRET } }
      const server = await startServer(settings)
      const [valid, other] = [await token({ jti: 'one' }), await token({ sub: 'eve' })]
      const client = await connectRaw({ release, url: server.url, document, query: `?token=${valid}` })
      await client.follow()
      expect(await post({ url: server.url, body, headers: await bearer() })).toEqual([204])
      expect((await client.closed).code).toBe(code)
      expect(await post({ url: server.url, body: { user: 'eve' }, headers: await bearer() })).toEqual([204])
      await server.kill('SIGKILL')

      const { url } = await startServer({ ...settings, data: server.data })
      expect((await refusedSocket({ release, url, token: valid })).code).toBe(code)
      expect(await refusedStream({ release, url, token: other })).toEqual([401, 'UNAUTHORIZED'])
      expect(await post({ url, headers: await bearer() })).toEqual([204])
    },
  )

  test('is below the base path, and tells the log who took back what', async () => {
    const { url, lines } = await startInProcess({ release, options: { ...options, basePath: '/team' } })
    const old = await token()
    expect(url).toMatch(/\/team\/$/)
    expect(await post({ url, headers: await bearer() })).toEqual([204])
    expect(lines.filter(({ level }) => level === 'info')).toMatchObject([
      { facts: { revoked: { user: 'ada' }, by: 'admin' } },
    ])
    expect(await refusedStream({ release, url, token: old })).toEqual([401, 'UNAUTHORIZED'])
  })

  test('is what the command in the README asks for', async (context) => {
    await run('curl', ['--version']).catch((error) => context.skip(`needs curl: ${String(error)}`))
    const { url } = await startInProcess({ release, options })
    const old = await token()
    const shown = await blockIn('server/README.md', '### Taking access back', '')
    const command = filledIn(shown, { 'https://docs.example.com/': url, $TOKEN: await token({ coedit: RIGHTS }) })
    expect(await run('sh', ['-c', command])).toMatchObject({ stdout: '' })
    expect(await refusedStream({ release, url, token: old })).toEqual([401, 'UNAUTHORIZED'])
  })

  test('takes any name there is', async () => {
    const { url } = await startInProcess({ release, options })
    const sub = '\u0001'.repeat(16 * 1024)
    expect(await post({ url, headers: await bearer(), body: { user: sub } })).toEqual([204])
  })

  test('lets nobody in to a document, by the right to revoke alone', async () => {
    const { url } = await startInProcess({ release, options })
    const valid = await token({ coedit: RIGHTS })
    expect((await refusedSocket({ release, url, token: valid })).code).toBe(4403)
    expect(await refusedStream({ release, url, token: valid })).toEqual([403, 'FORBIDDEN'])
  })

  test.each<[string, () => Promise<Omit<Call, 'url'>>, [number, string]]>([
    ['no token', async () => ({}), [401, 'UNAUTHORIZED']],
    ['what is no token', async () => ({ headers: { authorization: 'Bearer x' } }), [401, 'UNAUTHORIZED']],
    ['one that has expired', async () => ({ headers: await bearer({ exp: 1 }) }), [401, 'UNAUTHORIZED']],
    ['one in the query', async () => ({ query: `?token=${await token({ coedit: RIGHTS })}` }), [401, 'UNAUTHORIZED']],
    [
      'one in a cookie, which a page could make a browser send',
      async () => ({ headers: { cookie: `session=${await token({ coedit: RIGHTS })}` } }),
      [401, 'UNAUTHORIZED'],
    ],
    ['one of a writer', async () => ({ headers: await bearer({ coedit: { write: ['*'] } }) }), [403, 'FORBIDDEN']],
    ['one without the claim', async () => ({ headers: await bearer({ coedit: undefined }) }), [403, 'FORBIDDEN']],
    [
      'one whose claim is of the wrong type',
      async () => ({ headers: await bearer({ coedit: { revoke: 'yes' } }) }),
      [401, 'UNAUTHORIZED'],
    ],
    [
      'a foreign origin',
      async () => ({ headers: { ...(await bearer()), origin: 'https://evil.example' } }),
      [403, 'FORBIDDEN'],
    ],
  ])('refuses %s', async (_, make, refusal) => {
    const { url, lines } = await startInProcess({ release, options: { ...options, authCookie: 'session' } })
    expect(await post({ url, ...(await make()) })).toEqual(refusal)
    await expectAdmitted(url)
    // A stranger must not fill the log of the operator.
    expect(lines.filter(({ level }) => level !== 'debug')).toEqual([])
  })

  test.each([{ user: 'admin' }, { tokenId: 'stolen' }])('refuses a token that was revoked by %j', async (target) => {
    const { url, server } = await startInProcess({ release, options })
    const headers = await bearer({ jti: 'stolen' })
    await server.revoke(target)
    expect(await post({ url, headers })).toEqual([401, 'UNAUTHORIZED'])
    await expectAdmitted(url)
  })

  test.each([
    '',
    'x',
    'null',
    '[]',
    '{}',
    '"user"',
    { user: '' },
    { user: 1 },
    { user: 'ada', document },
    { users: ['ada'] },
    { user: 'x'.repeat(16_385) },
    `{"user":"${'x'.repeat(128 * 1024)}"}`,
    '['.repeat(100_000),
  ])('refuses another body: %j', async (body) => {
    const { url, lines } = await startInProcess({ release, options })
    expect(await post({ url, headers: await bearer(), body })).toEqual([400, 'BODY_INVALID'])
    await expectAdmitted(url)
    expect(lines.filter(({ level }) => level !== 'debug')).toEqual([])
  })

  test('refuses a body that does not tell its length', async () => {
    const { url } = await startInProcess({ release, options })
    const { authorization } = await bearer()
    const head = ['POST /api/revocations HTTP/1.1', 'Host: localhost', `Authorization: ${authorization}`]
    const answer = await speak(
      release,
      url,
      `${[...head, 'Transfer-Encoding: chunked'].join('\r\n')}\r\n\r\n`,
      'e\r\n{"user":"ada"}\r\n0\r\n\r\n',
    )
    expect(answer).toMatch(/^HTTP\/1\.1 400 .*"code":"BODY_INVALID"/s)
    await expectAdmitted(url)
  })

  test('answers 503 where the keys cannot be had', async () => {
    const provider = await startKeySetServer(release, { kind: 'nonsense' })
    const { url } = await startInProcess({ release, options: { authJwksUrl: provider.url } })
    const signed = await token({ coedit: RIGHTS }, { alg: 'ES256', key: keysFor('ES256').privateKey })
    const headers = { authorization: `Bearer ${signed}` }
    expect(await post({ url, headers })).toEqual([503, 'AUTH_UNAVAILABLE'])
  })

  test('is not there where tokens are not checked by the options', async () => {
    for (const parts of [{}, { authenticate: () => ({ access: 'write' }) as const }]) {
      const { url } = await startInProcess({ release, ...parts })
      expect(await post({ url, headers: await bearer() })).toEqual([413, 'BODY_UNEXPECTED'])
      expect((await fetch(`${url}api/revocations`, { method: 'POST' })).status).toBe(404)
    }
  })

  test('has no other method', async () => {
    const { url } = await startInProcess({ release, options })
    for (const method of ['GET', 'DELETE', 'PUT']) {
      const answer = await fetch(`${url}api/revocations`, { method, headers: await bearer() })
      expect([method, answer.status]).toEqual([method, 404])
    }
  })
})
