import { describe, expect, onTestFinished, test } from 'vitest'
import { isOriginAllowed } from '../../server/src/http/origin.ts'
import { Bystanders } from '../support/bystanders.ts'
import { requestEvents } from '../support/event-stream.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { openRawSocket } from '../support/raw-socket.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const document = 'notes'
const FOREIGN = 'https://evil.example'

describe('THREATS auth: R36 a foreign Origin', () => {
  test('gets HTTP 403 for a WebSocket, and harms nobody', async () => {
    const { url } = await startInProcess({ release })
    const bystanders = await Bystanders.join({ release, url, document })
    const headers = { Origin: FOREIGN }
    const socket = await openRawSocket({ release, url, target: `/${document}`, headers })
    expect((await socket.answer).status).toBe(403)
    expect((await socket.closed).code).toBe(1006)
    expect(socket.messages).toEqual([])
    await bystanders.areUnharmed()
  })

  test('gets HTTP 403 for an event stream, whatever else it brings', async () => {
    const { url } = await startInProcess({ release })
    const response = await requestEvents({ release, url, segment: document, headers: { origin: FOREIGN } })
    expect(response.statusCode).toBe(403)
    expect(response.headers['access-control-allow-origin']).toBeUndefined()
    let body = ''
    for await (const text of response) body += text
    expect(JSON.parse(body).error.code).toBe('FORBIDDEN')
  })

  test('that is allowed may open WebSockets and read event streams', async () => {
    const { url } = await startInProcess({ release, options: { allowedOrigins: 'https://app.example' } })
    const headers = { Origin: 'https://app.example' }
    const socket = await openRawSocket({ release, url, target: `/${document}`, headers })
    expect((await socket.answer).status).toBe(101)
    const response = await requestEvents({ release, url, segment: document, headers })
    expect(response.statusCode).toBe(200)
    expect(response.headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-credentials': 'true',
    })
  })

  test.each([
    'capacitor://localhost',
    'tauri://localhost',
    'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
    'app://obsidian.md',
    'file://',
    'null',
  ])('%s is let in by a cookie where it is named, and refused where it is not', async (Origin) => {
    const cookie = `session=${await token()}`
    const status = async (allowedOrigins: string) => {
      const options = { authSecret: SECRET, authCookie: 'session', allowedOrigins }
      const { url } = await startInProcess({ release, options })
      const headers = { Origin, Cookie: cookie, Host: 'docs.example' }
      const socket = await openRawSocket({ release, url, target: `/${document}`, headers })
      const { statusCode, headers: answered } = await requestEvents({
        release,
        url,
        segment: document,
        headers: { origin: Origin, cookie, host: 'docs.example' },
      })
      return { socket: (await socket.answer).status, stream: statusCode, cors: answered }
    }
    expect(await status(`https://app.example, ${Origin}`)).toMatchObject({
      socket: 101,
      stream: 200,
      cors: { 'access-control-allow-origin': Origin, 'access-control-allow-credentials': 'true' },
    })
    expect(await status('https://app.example, other://localhost')).toMatchObject({ socket: 403, stream: 403 })
  })

  test('may read event streams where all are allowed, but not by the cookies of whoever looks at its page', async () => {
    const { url } = await startInProcess({ release, options: { allowedOrigins: '*' } })
    const response = await requestEvents({ release, url, segment: document, headers: { origin: FOREIGN } })
    expect(response.headers['access-control-allow-origin']).toBe(FOREIGN)
    expect(response.headers['access-control-allow-credentials']).toBeUndefined()
  })
})

describe('R36 isOriginAllowed', () => {
  test.each<[string, string | undefined, string, string, boolean]>([
    ['no origin: no page', undefined, 'docs.example', '', true],
    ['the same host', 'https://docs.example', 'docs.example', '', true],
    ['the same host and port', 'https://docs.example:8443', 'docs.example:8443', '', true],
    ['the default port, named once', 'https://docs.example', 'docs.example:443', '', true],
    ['a proxy that ends TLS', 'https://docs.example', 'docs.example', '', true],
    ['the case of a host', 'https://docs.example', 'Docs.Example', '', true],
    ['another port', 'https://docs.example:8443', 'docs.example', '', false],
    ['the default port of another scheme', 'https://docs.example', 'docs.example:80', '', false],
    ['a longer host', 'https://docs.example.evil', 'docs.example', '', false],
    ['a shorter host', 'https://example', 'docs.example', '', false],
    ['a subdomain', 'https://evil.docs.example', 'docs.example', '', false],
    ['a host as a user name', 'https://docs.example@evil.example', 'docs.example', '', false],
    ['null, as of a sandboxed frame', 'null', 'docs.example', '', false],
    ['a file', 'file://', 'localhost', '', false],
    ['nothing, where none are allowed', '', 'docs.example', '', false],
    ['null among the allowed', 'null', 'docs.example', 'https://a.example', false],
    ['no host', 'https://docs.example', '', '', false],
    ['two programs on this machine', 'http://localhost:5173', '127.0.0.1:1234', '', true],
    ['two programs on this machine, by IPv6', 'http://[::1]:5173', 'localhost:1234', '', true],
    ['the world on this machine', FOREIGN, 'localhost:1234', '', false],
    ['this machine in the world', 'http://localhost:5173', 'docs.example', '', false],
    ['a name that only begins like this machine', 'http://localhost.evil.example', 'localhost:1234', '', false],
    ['one of the allowed', 'https://b.example', 'docs.example', 'https://a.example, https://b.example', true],
    ['none of the allowed', 'https://c.example', 'docs.example', 'https://a.example, https://b.example', false],
    ['the scheme of the allowed', 'http://a.example', 'docs.example', 'https://a.example', false],
    ['the same host beside the allowed', 'https://docs.example', 'docs.example', 'https://a.example', true],
    ['all allowed', FOREIGN, 'docs.example', '*', true],
  ])('%s: %s at %s, allowed "%s": %s', (_, origin, host, allowed, expected) => {
    expect(isOriginAllowed({ ...(origin !== undefined && { origin }), host }, allowed)).toBe(expected)
  })
})
