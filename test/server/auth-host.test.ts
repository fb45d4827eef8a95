import { describe, expect, onTestFinished, test } from 'vitest'
import { parseOptions } from '../../server/src/config/config.ts'
import { checkHostFor } from '../../server/src/http/host.ts'
import type { Authenticate, ServerOptions } from '../../server/src/index.ts'
import { Bystanders } from '../support/bystanders.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { speak } from '../support/raw-http.ts'
import { openRawSocket } from '../support/raw-socket.ts'
import { SECRET } from '../support/tokens.ts'

const release = onTestFinished
const document = 'notes'
/** A name that a stranger has lead to this machine: for a browser its page and the server are of one origin. */
const REBOUND = 'rebound.example'
const UPGRADE = [
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

/** The whole answer to a request that names this host. */
function ask(url: string, target: string, host: string, ...headers: readonly string[]): Promise<string> {
  const lines = [`GET ${target} HTTP/1.1`, `Host: ${host}`, ...headers]
  return speak(release, url, `${lines.join('\r\n')}\r\n\r\n`)
}

/** Status of a WebSocket that a page of this host opens to its own host. */
async function upgradeStatus(url: string, host: string): Promise<number> {
  const headers = { Host: host, Origin: `http://${host}` }
  const socket = await openRawSocket({ release, url, target: `/${document}`, headers })
  return (await socket.answer).status
}

describe('THREATS auth: R41 a page that has its own host name lead to this machine', () => {
  test('opens no WebSocket, is told why, and harms nobody', async () => {
    const { url } = await startInProcess({ release })
    const bystanders = await Bystanders.join({ release, url, document })
    const answer = await ask(url, `/${document}`, REBOUND, `Origin: http://${REBOUND}`, ...UPGRADE)
    expect(answer).toMatch(/^HTTP\/1\.1 421 Misdirected Request\r\n/)
    const { error } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
    expect(error.code).toBe('HOST_UNKNOWN')
    for (const way of [REBOUND, '--public-origin', '--allowed-origins', '--auth-secret', '--insecure-no-auth']) {
      expect(error.message).toContain(way)
    }
    await bystanders.areUnharmed()
  })

  test.each([`/api/documents/${document}/events`, '/', '/d/notes', '/new', '/health', '/nowhere'])(
    'reads nothing of %s, for which a browser names no origin',
    async (target) => {
      const { url } = await startInProcess({ release })
      const answer = await ask(url, target, REBOUND, 'Connection: close')
      expect(answer).toMatch(/^HTTP\/1\.1 421 .*"code":"HOST_UNKNOWN"/s)
    },
  )

  const authenticate: Authenticate = () => ({ access: 'write' })

  test.each<[string, ServerOptions, Authenticate | undefined]>([
    ['where tokens are asked for', { authSecret: SECRET }, undefined],
    ['where the app authenticates', {}, authenticate],
    ['with insecureNoAuth', { insecureNoAuth: true }, undefined],
    ['where all origins are allowed', { allowedOrigins: '*' }, undefined],
    ['that is the host of an allowed origin', { allowedOrigins: `https://${REBOUND}` }, undefined],
  ])('is a host like any other %s', async (_, options, authenticate) => {
    const { url } = await startInProcess({ release, options, ...(authenticate && { authenticate }) })
    expect(await upgradeStatus(url, REBOUND)).toBe(101)
    expect(await ask(url, '/health', REBOUND, 'Connection: close')).toMatch(/^HTTP\/1\.1 200 /)
  })
})

describe('R41 without authentication the server answers to', () => {
  const options = {
    allowedOrigins: 'https://docs.example, http://other.example:8080, null, app://obsidian.md',
    publicOrigin: 'https://world.example',
  }

  test.each<[string | undefined, boolean]>([
    ['localhost', true],
    ['localhost:1234', true],
    ['LOCALHOST:1234', true],
    ['notes.localhost:1234', true],
    ['127.0.0.1', true],
    ['127.0.0.1:1234', true],
    ['127.1.2.3', true],
    ['[::1]', true],
    ['[::1]:1234', true],
    ['docs.example', true],
    ['docs.example:8443', true],
    ['Docs.Example', true],
    ['other.example', true],
    ['world.example', true],
    [undefined, false],
    ['', false],
    ['rebound.example', false],
    ['localhost.rebound.example', false],
    ['127.0.0.1.rebound.example', false],
    ['notlocalhost', false],
    ['.localhost.example', false],
    ['sub.docs.example', false],
    ['obsidian.md', false],
    ['null', false],
    ['docs.example.rebound.example', false],
    ['192.168.1.5', false],
    ['0.0.0.0', false],
    ['[::]', false],
    ['[fe80::1]', false],
    ['rebound.example@localhost', false],
    ['localhost/rebound.example', false],
    ['localhost#rebound.example', false],
    ['a b', false],
  ])('%s: %s', (host, expected) => {
    const check = checkHostFor(parseOptions(options), false)
    expect(check(host)?.code).toBe(expected ? undefined : 'HOST_UNKNOWN')
  })
})
