import { once } from 'node:events'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { type Exit, runCoedit, runNode, startServer } from '../support/process.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const SERVER = fileURLToPath(new URL('../../server', import.meta.url))
const release = onTestFinished

const UPGRADE = `${[
  'GET /notes HTTP/1.1',
  'Host: 127.0.0.1',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
].join('\r\n')}\r\n\r\n`
/** The status code as it stands in a close frame (RFC 6455, 5.5.1). */
const CLOSE_1012 = Buffer.from([1012 >> 8, 1012 & 0xff])

/** Waits until the bytes have come in. */
async function receive(socket: Socket, expected: Buffer): Promise<void> {
  let received = Buffer.alloc(0)
  while (!received.includes(expected)) {
    const [bytes] = await once(socket, 'data')
    received = Buffer.concat([received, bytes])
  }
}

/** Asserts that a start failed with one line for people, no stack, and nothing on stdout. */
function expectRefusal(exit: Exit, code: number, pattern: RegExp) {
  const lines = exit.stderr.trimEnd().split('\n')
  const spoken = lines.filter((line) => !line.startsWith('{"level":'))
  expect({ code: exit.code, signal: exit.signal, stdout: exit.stdout, lines: spoken.length }).toEqual({
    code,
    signal: null,
    stdout: '',
    lines: 1,
  })
  expect(spoken[0]).toMatch(pattern)
}

describe('commands', () => {
  test('--help prints the options to stdout, whatever else is on the line', async () => {
    const exit = await runCoedit(release, ['--port', 'abc', '--help'])
    expect(exit).toMatchObject({ code: 0, stderr: '' })
    expect(exit.stdout).toMatch(/^Usage: coedit/)
    expect(exit.stdout).toContain('--max-message-bytes')
  })

  test('--version prints the version of the package', async () => {
    const { version } = JSON.parse(await readFile(join(SERVER, 'package.json'), 'utf8'))
    expect(await runCoedit(release, ['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' })
  })
})

test('a platform that sets PORT is listened for there, and told that DATABASE_URL is not used', async () => {
  const taken = await startServer({ release })
  const { port } = new URL(taken.url)
  const data = await temporaryDirectory(release)
  const exit = await runCoedit(release, ['--data', data], { PORT: port, DATABASE_URL: 'postgres://user:pass@db/app' })
  expectRefusal(exit, 1, new RegExp(`^coedit: port ${port} on 127\\.0\\.0\\.1 is in use: .* \\(PORT_IN_USE\\)$`))
  expect(exit.stderr).toMatch(/"level":40,.*"msg":"DATABASE_URL is not used: .*"/)
  expect(exit.stderr).not.toContain('pass')
})

describe('a start that fails says why in one line', () => {
  test('a bad flag: exit code 2', async () => {
    expectRefusal(await runCoedit(release, ['--port', 'abc']), 2, /^coedit: --port is 'abc': .* \(OPTION_INVALID\)$/)
  })

  test('a bad variable: exit code 2', async () => {
    const exit = await runCoedit(release, [], { COEDIT_LOG_LEVEL: 'loud' })
    expectRefusal(exit, 2, /^coedit: COEDIT_LOG_LEVEL is 'loud': .* \(OPTION_INVALID\)$/)
  })

  test('a public host without authentication: exit code 2', async () => {
    const exit = await runCoedit(release, ['--host', '0.0.0.0', '--data', await temporaryDirectory(release)])
    expectRefusal(exit, 2, /^coedit: host 0\.0\.0\.0 .* \(HOST_NEEDS_AUTH\)$/)
  })

  test('a port in use: exit code 1', async () => {
    const { port } = new URL((await startServer({ release })).url)
    const exit = await runCoedit(release, ['--port', port, '--data', await temporaryDirectory(release)])
    expectRefusal(exit, 1, new RegExp(`^coedit: .*${port}.* \\(PORT_IN_USE\\)$`))
  })

  test('a host that is not ours: exit code 1', async () => {
    // 192.0.2.0/24 is reserved for documentation (RFC 5737): no machine has it.
    const flags = ['--host', '192.0.2.1', '--insecure-no-auth', '--data', await temporaryDirectory(release)]
    expectRefusal(await runCoedit(release, flags), 1, /^coedit: .*192\.0\.2\.1.* \(CANNOT_LISTEN\)$/)
  })

  test('a data directory that cannot be made: exit code 1', async () => {
    const file = join(await temporaryDirectory(release), 'file')
    await writeFile(file, '')
    const exit = await runCoedit(release, ['--port', '0', '--data', join(file, 'data')])
    expectRefusal(exit, 1, /^coedit: .*file.* \(STORAGE_UNWRITABLE\)$/)
  })

  test('a data directory in use: exit code 1, and the one who uses it goes on', async () => {
    const first = await startServer({ release })
    const exit = await runCoedit(release, ['--port', '0', '--data', first.data])
    expectRefusal(exit, 1, new RegExp(`^coedit: .*${first.data}.* \\(STORAGE_LOCKED\\)$`))
    expect((await fetch(`${first.url}health`)).status).toBe(200)
  })

  test('a checkout that was not built: exit code 1', async () => {
    const directory = await temporaryDirectory(release)
    await mkdir(join(directory, 'bin'))
    await cp(join(SERVER, 'bin', 'coedit.js'), join(directory, 'bin', 'coedit.mjs'))
    expectRefusal(
      await runNode(release, join(directory, 'bin', 'coedit.mjs'), []),
      1,
      /^coedit: not built yet: .*npm run build/,
    )
  })
})

describe('a running server', () => {
  test('prints one ready line with its address, and answers there', async () => {
    const server = await startServer({ release })
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/)
    expect(await (await fetch(`${server.url}health`)).json()).toEqual({ status: 'ok' })
    const page = await fetch(server.url)
    expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringMatching(/^text\/html/)])
    expect((await server.kill('SIGTERM')).stdout).toBe(`coedit is ready on ${server.url}\n`)
  })

  test('takes options from the environment, and names its base path', async () => {
    const server = await startServer({ release, env: { COEDIT_BASE_PATH: '/team/coedit' } })
    expect(server.url).toMatch(/:\d+\/team\/coedit\/$/)
    expect((await fetch(`${server.url}health`)).status).toBe(200)
    expect((await fetch(new URL('/health', server.url))).status).toBe(404)
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('closes cleanly on %s while a client is connected', async (signal) => {
    const server = await startServer({ release })
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}notes`)
    release(async () => socket.terminate())
    const closed = new Promise<number>((resolve) => socket.once('close', resolve))
    await new Promise((resolve) => socket.once('open', resolve))
    expect(await server.kill(signal)).toMatchObject({ code: 0, signal: null })
    expect(await closed).toBe(1012)
    const again = await startServer({ release, data: server.data })
    expect((await fetch(`${again.url}health`)).status).toBe(200)
  })

  test('a second signal ends it at once, even while a client does not answer its close', async () => {
    const server = await startServer({ release })
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    release(async () => void socket.destroy())
    socket.write(UPGRADE)
    await receive(socket, Buffer.from('101 Switching Protocols'))
    process.kill(server.pid, 'SIGTERM')
    await receive(socket, CLOSE_1012)
    expect(await server.kill('SIGTERM')).toMatchObject({ code: 1, signal: null })
  })

  test('never logs a query string, even at the level debug', async () => {
    const server = await startServer({ release, flags: ['--log-level', 'debug'] })
    await fetch(`${server.url}?token=s3cret`)
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}notes?token=s3cret`)
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send(Buffer.from([0, 9]))
    await new Promise((resolve) => socket.once('close', resolve))
    const { stderr } = await server.kill('SIGTERM')
    expect(stderr).toContain('MESSAGE_MALFORMED')
    expect(stderr).not.toContain('s3cret')
  })
})
