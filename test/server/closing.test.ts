import { describe, expect, onTestFinished, test } from 'vitest'
import { Writer } from '../support/edits.ts'
import { readEvents, type ServerEvent } from '../support/event-stream.ts'
import { runCramped, runProgram, type ServerProcess, startEmbedding, startServer } from '../support/process.ts'
import { connectRaw, store } from '../support/raw-client.ts'
import { cases } from '../support/runs.ts'
import { temporaryDirectory } from '../support/temporary.ts'

// In processes of their own: the test runner keeps the event loop alive, and would hide one that runs dry.
const release = onTestFinished
const document = 'notes'
const CLIENTS = cases([0, 5], [1, 50])

/** The next event of the document's stream, which is left then. */
async function nextEvent({ url }: ServerProcess, lastEventId = ''): Promise<ServerEvent> {
  for await (const event of readEvents({ release, url, document, lastEventId })) return event
  throw new Error('the stream ended before an event came')
}

/** A document that was edited, followed and left, and is open for so many clients. */
interface Use {
  readonly writer: Writer
  readonly event: ServerEvent
}

async function use(server: ServerProcess, clients: number): Promise<Use> {
  const options = { release, url: server.url, document }
  const writer = new Writer()
  await store(options, writer.insert('before ').update)
  const event = await nextEvent(server)
  const connected = await Promise.all(Array.from({ length: clients }, () => connectRaw(options)))
  await Promise.all(connected.map((client) => client.follow()))
  return { writer, event }
}

/** A stream goes on behind an event only if the server has written down, last of all, that it has ended in order. */
async function expectResumed(data: string, { writer, event }: Use): Promise<void> {
  const server = await startServer({ release, data })
  const { update } = writer.insert('after')
  await store({ release, url: server.url, document }, update)
  const next = await nextEvent(server, event.id)
  expect(Buffer.from(next.update)).toEqual(Buffer.from(update))
}

describe.each(CLIENTS)('with %i clients connected', (clients) => {
  test('coedit closes everything on SIGTERM before it exits', async () => {
    const server = await startServer({ release, flags: ['--log-level', 'debug'] })
    const before = await use(server, clients)
    const exit = await server.kill('SIGTERM')
    expect(exit).toMatchObject({ code: 0, signal: null, stderr: expect.stringContaining('"msg":"closed"') })
    await expectResumed(server.data, before)
  })

  test('close() of an embedded server resolves, and its hooks were told of all', async () => {
    const data = await temporaryDirectory(release)
    const server = await startEmbedding(release, './embedding-program.mjs', data)
    const before = await use(server, clients)
    const { code, signal, stdout, stderr } = await server.kill('SIGTERM')
    expect({ code, signal, said: stdout.split('\n').slice(1) }).toEqual({
      code: 0,
      signal: null,
      said: ['told of notes 1', 'went on after close()', ''],
    })
    expect(stderr).toContain('"msg":"closed"')
    await expectResumed(data, before)
  })
})

test('an edit that somebody waits for keeps the process alive', async () => {
  const exit = await runProgram(release, './editing-program.ts', await temporaryDirectory(release))
  expect(exit).toMatchObject({ code: 0, signal: null, stdout: 'cba\n' })
})

test('a command waits until a disk that is full has room again', async () => {
  const server = await startServer({ release })
  await store({ release, url: server.url, document }, new Writer().insert('x'.repeat(200_000)).update)
  await server.kill('SIGTERM')
  const repair = runCramped(release, 100_000, ['repair', '--data', server.data])
  await repair.logs('storage cannot write')
  await repair.makeRoom()
  expect(await repair.exited).toMatchObject({ code: 0, stdout: expect.stringMatching(/^1 document, 1 intact$/m) })
})
