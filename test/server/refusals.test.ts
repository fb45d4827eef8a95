import { describe, expect, onTestFinished, test } from 'vitest'
import type { ServerOptions } from '../../server/src/index.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { speak } from '../support/raw-http.ts'
import { openRawSocket } from '../support/raw-socket.ts'

const release = onTestFinished
const MINUTE = 60_000

interface Refused {
  readonly options?: ServerOptions
  readonly target?: string
  readonly headers: Readonly<Record<string, string>>
  /** How often it is asked, all but the last time in vain or not. */
  readonly times?: number
}

async function setScene({ options = {}, target = '/notes?token=s3cret', headers, times = 1 }: Refused) {
  const clock = new ManualClock()
  const { url, lines } = await startInProcess({ release, clock, options })
  const ask = async () => (await (await openRawSocket({ release, url, target, headers })).answer).status
  for (let time = 1; time < times; time++) await ask()
  return { clock, ask, told: () => lines.filter(({ message }) => message === 'refused a request') }
}

const REFUSALS: readonly [string, number, Refused][] = [
  ['NOT_FOUND', 404, { options: { basePath: '/team' }, headers: {} }],
  ['HOST_UNKNOWN', 421, { headers: { Host: 'docs.example' } }],
  ['FORBIDDEN', 403, { headers: { Origin: 'https://docs.example', Host: '127.0.0.1:4000' } }],
  [
    'TOO_MANY_CONNECTIONS',
    429,
    { options: { maxConnectionsPerAddress: 1 }, headers: { 'X-Forwarded-For': '203.0.113.9' }, times: 2 },
  ],
  ['UPGRADE_MISSING', 426, { headers: { Connection: 'close', Upgrade: '' } }],
  ['UPGRADE_INVALID', 400, { headers: { 'Sec-WebSocket-Version': '12' } }],
]

describe('a WebSocket that is refused', () => {
  test.each(REFUSALS)(
    'with %s is told to the log with the reason, without the query',
    async (code, status, refused) => {
      const { ask, told } = await setScene(refused)
      expect(await ask()).toBe(status)
      const { Origin: origin, Host: host = 'localhost' } = refused.headers
      expect(told()).toEqual([
        {
          level: 'warn',
          facts: {
            request: expect.stringMatching(/^[0-9a-f]{32}$/),
            code,
            reason: expect.stringMatching(/.{10}/),
            method: 'GET',
            path: '/notes',
            host,
            origin,
            address: '127.0.0.1',
          },
          message: 'refused a request',
        },
      ])
    },
  )

  test('fills no log: one of a kind is a warning every minute', async () => {
    const { clock, ask, told } = await setScene({ headers: { Host: 'docs.example' } })
    const levels = () => told().map(({ level }) => level)
    await ask()
    await ask()
    clock.advance(MINUTE - 1)
    await ask()
    expect(levels()).toEqual(['warn', 'debug', 'debug'])
    clock.advance(1)
    await ask()
    expect(levels()).toEqual(['warn', 'debug', 'debug', 'warn'])
  })
})

test('any other request that is refused is for who debugs', async () => {
  const { url, lines } = await startInProcess({ release })
  await speak(release, url, 'GET /nowhere?token=s3cret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
  expect(lines.at(-1)).toMatchObject({ level: 'debug', facts: { code: 'NOT_FOUND', path: '/nowhere' } })
})

test('what is no request leaves a line, without what came', async () => {
  const { url, lines } = await startInProcess({ release })
  expect(await speak(release, url, 'GET /notes?token=s3cret HTTP/9\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
  const line = lines.find(({ message }) => message === 'a connection broke')
  expect(line).toMatchObject({ level: 'debug', facts: { code: 'HPE_INVALID_VERSION', address: '127.0.0.1' } })
  expect(JSON.stringify(line)).not.toContain('s3cret')
})

test('UPGRADE_MISSING and UPGRADE_INVALID say what would be taken', async () => {
  const { url } = await startInProcess({ release })
  const target = '/notes'
  const dropped = await openRawSocket({ release, url, target, headers: { Connection: 'close', Upgrade: '' } })
  expect((await dropped.answer).headers.get('upgrade')).toBe('websocket')
  const old = await openRawSocket({ release, url, target, headers: { 'Sec-WebSocket-Version': '12' } })
  expect((await old.answer).headers.get('sec-websocket-version')).toBe('13')
})
