import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { refusedSocket, refusedStream, storedNames } from '../support/admission.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { startKeySetServer } from '../support/key-set-server.ts'
import { connectRaw } from '../support/raw-client.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { forgedToken, keysFor, SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const RSA = keysFor('RS256')
const OTHER_RSA = keysFor('RS256')
const NOW = Math.floor(Date.now() / 1000)

async function expectAdmitted(url: string, valid: string): Promise<void> {
  const client = await connectRaw({ release, url, document: 'notes', query: `?token=${valid}` })
  await client.follow()
}

async function expectRefused(options: Parameters<typeof startInProcess>[0]['options'], bad: string | undefined) {
  const { url, server, data, lines } = await startInProcess({ release, ...(options && { options }) })
  expect((await refusedSocket({ release, url, token: bad })).code).toBe(4401)
  expect(await refusedStream({ release, url, token: bad })).toEqual([401, 'UNAUTHORIZED'])
  await server.close()
  expect(await storedNames(data)).toEqual([])
  // A stranger must not fill the log of the operator.
  expect(lines.filter(({ level }) => level !== 'debug')).toEqual([])
}

describe('R37 a valid token opens its document', () => {
  test('signed with the secret', async () => {
    const { url } = await startInProcess({ release, options: { authSecret: SECRET } })
    await expectAdmitted(url, await token())
  })

  test.each(['RS256', 'ES256', 'EdDSA'] as const)('signed with the private key of a PEM (%s)', async (alg) => {
    const { privateKey, pem } = keysFor(alg)
    const { url } = await startInProcess({ release, options: { authPublicKey: pem } })
    await expectAdmitted(url, await token({}, { alg, key: privateKey }))
  })

  test('signed with the private key of a PEM file', async () => {
    const file = join(await temporaryDirectory(release), 'key.pem')
    await writeFile(file, RSA.pem)
    const { url } = await startInProcess({ release, options: { authPublicKey: file } })
    await expectAdmitted(url, await token({}, { alg: 'PS256', key: RSA.privateKey }))
  })

  test('signed with one of the keys that an identity provider publishes, also with a newer one', async () => {
    const [first, second] = [keysFor('ES256').privateKey, keysFor('RS256').privateKey]
    const provider = await startKeySetServer(release, { kind: 'keys', keys: { first, second } })
    const { url } = await startInProcess({ release, options: { authJwksUrl: provider.url } })
    await expectAdmitted(url, await token({}, { alg: 'ES256', key: first, header: { kid: 'first' } }))
    await expectAdmitted(url, await token({}, { alg: 'RS256', key: second, header: { kid: 'second' } }))
    expect(provider.requests).toBe(1)
  })

  test('of the issuer and for the audience that the options name', async () => {
    const options = { authSecret: SECRET, authIssuer: 'https://id.example', authAudience: 'coedit' }
    const { url } = await startInProcess({ release, options })
    await expectAdmitted(url, await token({ iss: 'https://id.example', aud: ['coedit', 'mail'] }))
  })
})

describe('THREATS auth: R37 refused with 4401 and HTTP 401, and nothing is stored', () => {
  test.each<[string, () => Promise<string | undefined> | string | undefined]>([
    ['no token', () => undefined],
    ['an empty token', () => ''],
    ['a token that is none', () => 'letmein'],
    ['a token of dots', () => '..'],
    ['alg: none', () => forgedToken({ alg: 'none' }, {}, null)],
    ['alg: NONE in capitals', () => forgedToken({ alg: 'nOnE' }, {}, null)],
    ['alg: none with a signature', () => forgedToken({ alg: 'none' })],
    ['no algorithm', () => forgedToken({})],
    ['no signature', () => forgedToken({ alg: 'HS256' }, {}, null)],
    ['another secret', () => forgedToken({ alg: 'HS256' }, {}, `${SECRET}?`)],
    ['the empty secret', () => forgedToken({ alg: 'HS256' }, {}, '')],
    ['another algorithm of the same secret', () => token({}, { alg: 'HS512' })],
    ['an RSA key of its own', () => token({}, { alg: 'RS256', key: RSA.privateKey })],
    ['kid that is a path', () => forgedToken({ alg: 'HS256', kid: '../../../dev/null' }, {}, '')],
    ['kid that is a query', () => forgedToken({ alg: 'HS256', kid: "' UNION SELECT 'x" }, {}, 'x')],
    ['an extension that must be understood', () => forgedToken({ alg: 'HS256', crit: ['exp'], exp: 0 })],
    ['an unencoded payload', () => forgedToken({ alg: 'HS256', crit: ['b64'], b64: false })],
    ['no exp', () => token({ exp: undefined })],
    ['exp that has passed', () => token({ exp: NOW - 6 })],
    ['exp that is text', () => forgedToken({ alg: 'HS256' }, { exp: '9999999999' })],
    ['exp that is null', () => forgedToken({ alg: 'HS256' }, { exp: null })],
    ['nbf to come', () => token({ nbf: NOW + 3000 })],
    ['iat that is text', () => forgedToken({ alg: 'HS256' }, { iat: '0' })],
    ['sub that is no text', () => forgedToken({ alg: 'HS256' }, { sub: 7 })],
    ['rights that are no list', () => forgedToken({ alg: 'HS256' }, { coedit: { write: '*' } })],
    ['rights to what is no name', () => forgedToken({ alg: 'HS256' }, { coedit: { write: [{}] } })],
  ])('%s', async (_, make) => {
    await expectRefused({ authSecret: SECRET }, await make())
  })

  test.each([
    ['no iss', { aud: 'coedit' }],
    ['a foreign iss', { iss: 'https://evil.example', aud: 'coedit' }],
    ['no aud', { iss: 'https://id.example' }],
    ['a foreign aud', { iss: 'https://id.example', aud: ['mail'] }],
  ])('%s', async (_, claims) => {
    const options = { authSecret: SECRET, authIssuer: 'https://id.example', authAudience: 'coedit' }
    await expectRefused(options, await token(claims))
  })

  test.each([
    ['the RSA key used as HS256 secret', () => forgedToken({ alg: 'HS256' }, {}, RSA.pem)],
    ['the RSA key without its last line used as HS256 secret', () => forgedToken({ alg: 'HS256' }, {}, RSA.pem.trim())],
    ['alg: none where a key is public', () => forgedToken({ alg: 'none' }, {}, null)],
    ['another RSA key', () => token({}, { alg: 'RS256', key: OTHER_RSA.privateKey })],
    ['a key that the token brings along', async () => tokenWithItsKey()],
  ])('%s', async (_, make) => {
    await expectRefused({ authPublicKey: RSA.pem }, await make())
  })

  test.each([
    ['a kid that the identity provider does not know', { kid: 'third' }],
    ["another key's kid", { kid: 'second' }],
    ['no kid where several keys fit', {}],
    ['a kid that is a path', { kid: '/etc/passwd' }],
    ['a kid of the prototype', { kid: '__proto__' }],
    ['keys elsewhere', { kid: 'first', jku: 'https://evil.example/keys' }],
  ])('%s', async (_, header) => {
    const keys = { first: RSA.privateKey, second: OTHER_RSA.privateKey }
    const provider = await startKeySetServer(release, { kind: 'keys', keys })
    const mine = keysFor('RS256').privateKey
    await expectRefused({ authJwksUrl: provider.url }, await token({}, { alg: 'RS256', key: mine, header }))
    expect(provider.requests).toBe(1)
  })

  test('a key set is no set of secrets', async () => {
    const provider = await startKeySetServer(release, { kind: 'keys', keys: { first: RSA.privateKey } })
    await expectRefused({ authJwksUrl: provider.url }, forgedToken({ alg: 'HS256', kid: 'first' }, {}, RSA.pem))
  })
})

describe('R37 an identity provider that', () => {
  test.each(['failure', 'nonsense'] as const)('answers with %s sends nobody away for good', async (kind) => {
    const key = keysFor('ES256').privateKey
    const provider = await startKeySetServer(release, { kind })
    const { url, lines } = await startInProcess({ release, options: { authJwksUrl: provider.url } })
    const valid = await token({}, { alg: 'ES256', key })
    expect((await refusedSocket({ release, url, token: valid })).code).toBe(1013)
    expect(await refusedStream({ release, url, token: valid })).toEqual([503, 'AUTH_UNAVAILABLE'])
    expect(lines.map(({ level }) => level)).toContain('error')
    provider.answer = { kind: 'keys', keys: { key } }
    await expectAdmitted(url, valid)
  })

  test('does not answer holds nobody longer than authTimeoutMs', async () => {
    const provider = await startKeySetServer(release, { kind: 'silence' })
    const { url } = await startInProcess({ release, options: { authJwksUrl: provider.url, authTimeoutMs: 100 } })
    const valid = await token({}, { alg: 'ES256', key: keysFor('ES256').privateKey })
    expect((await refusedSocket({ release, url, token: valid })).code).toBe(1013)
    expect(await refusedStream({ release, url, token: valid })).toEqual([503, 'AUTH_UNAVAILABLE'])
  })
})

/** A token with the key that it is signed with in its head (RFC 7515 §4.1.3). */
function tokenWithItsKey(): Promise<string> {
  const jwk = OTHER_RSA.privateKey.export({ format: 'jwk' })
  return token({}, { alg: 'RS256', key: OTHER_RSA.privateKey, header: { jwk: { kty: jwk.kty, n: jwk.n, e: jwk.e } } })
}
