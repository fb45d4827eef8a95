import { once } from 'node:events'
import { rename } from 'node:fs/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import WebSocket from 'ws'
import { refusedSocket, refusedStream } from '../support/admission.ts'
import { edit } from '../support/edits.ts'
import { startKeySetServer } from '../support/key-set-server.ts'
import { renewal, update } from '../support/messages.ts'
import { runCoedit, startServer } from '../support/process.ts'
import { connectRaw } from '../support/raw-client.ts'
import { openRawSocket } from '../support/raw-socket.ts'
import { keysFor, SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const document = 'notes'

/** The parts by which a token would be found again: the claims, the signature, and the user that the claims name. */
function traces(valid: string): readonly string[] {
  const [, claims = '', signature = ''] = valid.split('.')
  return [claims, signature, 'user-who-is-not-to-be-logged']
}

describe('THREATS auth: token in logs', () => {
  test('nothing of a token, a cookie or the secret is in the log, whatever becomes of the connection', async () => {
    const server = await startServer({
      release,
      flags: ['--log-level', 'debug', '--auth-cookie', 'session'],
      env: { COEDIT_AUTH_SECRET: SECRET },
    })
    const { url } = server
    const claims = { sub: 'user-who-is-not-to-be-logged' }
    const valid = await token(claims)
    const expired = await token({ ...claims, exp: 1 })
    const foreign = await token({ ...claims, coedit: { read: [] } })
    for (const bad of [expired, foreign, `${valid}x`, 'no.token.at-all']) {
      await refusedSocket({ release, url, token: bad })
      await refusedStream({ release, url, token: bad })
    }
    const headers = { 'Sec-WebSocket-Protocol': `bearer.${expired}`, Cookie: `session=${foreign}` }
    await (await openRawSocket({ release, url, target: `/${document}?token=${valid}`, headers })).closed
    await openRawSocket({
      release,
      url,
      target: `/elsewhere?token=${valid}`,
      headers: { Origin: 'https://evil.example' },
    })
    const client = await connectRaw({ release, url, document, query: `?token=${valid}`, protocols: ['coedit.v1'] })
    await client.follow()
    client.send(renewal(await token(claims)), Uint8Array.of(101, 200), renewal(expired))
    await client.closed
    await fetch(`${url}nowhere?token=${valid}`)

    const { stderr, stdout } = await server.kill('SIGTERM')
    expect(stderr).toContain('refused a connection')
    for (const secret of [SECRET, ...[valid, expired, foreign].flatMap(traces)]) {
      expect(stderr).not.toContain(secret)
      expect(stdout).not.toContain(secret)
    }
  })

  test('nor when the keys cannot be had', async () => {
    const provider = await startKeySetServer(release, { kind: 'nonsense' })
    const flags = ['--log-level', 'debug', '--auth-jwks-url', provider.url]
    const server = await startServer({ release, flags })
    const valid = await token({}, { alg: 'ES256', key: keysFor('ES256').privateKey })
    await refusedSocket({ release, url: server.url, token: valid })
    const { stderr } = await server.kill('SIGTERM')
    expect(stderr).toContain('authentication failed')
    for (const trace of traces(valid)) expect(stderr).not.toContain(trace)
  })

  test('the server does not select the subprotocol that holds it', async () => {
    const { url } = await startServer({ release, env: { COEDIT_AUTH_SECRET: SECRET } })
    const socket = new WebSocket(`${url}${document}`, [`bearer.${await token()}`, 'coedit'])
    release(async () => socket.terminate())
    await once(socket, 'open')
    expect(socket.protocol).toBe('coedit')
  })
})

test('where the data lies is not told to everybody who asks how the server is', async () => {
  const { url, data } = await startServer({ release })
  const elsewhere = `${data}-elsewhere`
  await rename(data, elsewhere)
  release(() => rename(elsewhere, data))
  const client = await connectRaw({ release, url, document })
  const answers: string[] = []
  // Enough for a first failure, and for those of later attempts, which tell of other causes.
  while (new Set(answers.filter((answer) => answer.includes('degraded'))).size < 2) {
    client.send(update(edit('x'.repeat(500_000)).update))
    answers.push(await (await fetch(`${url}health`)).text())
  }
  expect(answers.join()).not.toContain(data)
})

describe('a key that is given is not shown', () => {
  const { privateKey } = keysFor('ES256')
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const line = pem.split('\n')[1] ?? ''

  test.each([
    ['a secret that is too short', ['--auth-secret', 'too short, and secret'], 'too short, and secret'],
    ['a private key in the place of the public one', [`--auth-public-key=${pem}`], line],
    [
      'a secret in the place of a path',
      ['--auth-public-key', 'secret in the wrong place'],
      'secret in the wrong place',
    ],
    ['an address with a password', ['--auth-jwks-url', 'http://admin:pass@id.example/'], 'pass@'],
    ['two keys', ['--auth-secret', SECRET, '--auth-jwks-url', 'https://id.example/keys'], SECRET],
    ['a claim without a key', ['--auth-issuer', 'https://id.example'], 'id.example'],
  ])('in the error about %s', async (_, flags, secret) => {
    const exit = await runCoedit(release, ['--port', '0', '--data', '/nonexistent', ...flags])
    expect(exit).toMatchObject({ code: 2, stderr: expect.stringContaining('OPTION_INVALID') })
    expect(exit.stderr).not.toContain(secret)
  })

  test('by --help', async () => {
    const { code, stdout } = await runCoedit(release, ['--help'], { COEDIT_AUTH_SECRET: SECRET })
    expect([code, stdout.includes('--auth-secret'), stdout.includes(SECRET)]).toEqual([0, true, false])
  })
})
