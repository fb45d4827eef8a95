import { readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { Writer } from '../support/edits.ts'
import { readEvents } from '../support/event-stream.ts'
import { fileWith } from '../support/files.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { store } from '../support/raw-client.ts'
import { textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'
const OK = { status: 'ok' }

async function write({ url }: ServerProcess, text: string): Promise<void> {
  await store({ release, url, document }, new Writer().insert(text).update)
}

async function healthOf({ url }: ServerProcess): Promise<unknown> {
  return (await fetch(`${url}health`)).json()
}

/** Somebody who follows a document by its event stream. */
class Follower {
  readonly doc = new Y.Doc()
  #lastEventId: string | undefined

  /** Asks for what has come since, and waits for the first of it. */
  async catchUp({ url }: ServerProcess): Promise<string> {
    const lastEventId = this.#lastEventId
    const asked = lastEventId === undefined ? {} : { lastEventId }
    for await (const { id, update } of readEvents({ release, url, document, ...asked })) {
      Y.applyUpdate(this.doc, update)
      this.#lastEventId = id
      return textOf(this).toString()
    }
    throw new Error('the stream ended without an event')
  }
}

async function logOf({ data }: ServerProcess): Promise<{ path: string; bytes: number }> {
  const path = await fileWith(data, '.log')
  return { path, bytes: (await stat(path)).size }
}

test('a last write that was cut off, as by a kill, is no damage', async () => {
  const server = await startServer({ release })
  await write(server, 'kept ')
  await write(server, 'cut off')
  await server.kill()
  const { path, bytes } = await logOf(server)
  await truncate(path, bytes - 10)

  const next = await startServer({ release, data: server.data })
  expect(await healthOf(next)).toEqual(OK)
  expect(await new Follower().catchUp(next)).toBe('kept ')
  expect(next.stderr()).toBe('')
})

test('what LevelDB drops of its log as it opens is told by /health, and once by the log', async () => {
  const server = await startServer({ release })
  await write(server, 'kept ')
  const { bytes } = await logOf(server)
  await write(server, 'dropped')
  await server.kill()
  const { path } = await logOf(server)
  const log = await readFile(path)
  log[bytes + 20] ^= 1
  await writeFile(path, log)

  const next = await startServer({ release, data: server.data })
  const damage = { droppedBytes: log.length - bytes, records: 0, failedReads: 0, lostEntries: 0 }
  expect(await healthOf(next)).toEqual({ ...OK, damage })
  expect(await new Follower().catchUp(next)).toBe('kept ')
  expect(
    next
      .stderr()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([{ level: 50, bytes: damage.droppedBytes }])
})

test('who follows by the event stream misses nothing where the log has lost its end and gives its numbers anew', async () => {
  const first = await startServer({ release })
  const { data } = first
  await write(first, 'kept ')
  const [early, late] = [new Follower(), new Follower()]
  expect(await early.catchUp(first)).toBe('kept ')
  await first.kill('SIGTERM')

  const second = await startServer({ release, data })
  const { bytes } = await logOf(second)
  await write(second, 'lost')
  expect(await late.catchUp(second)).toMatch(/lost/)
  await second.kill()
  await truncate((await logOf(second)).path, bytes)

  const third = await startServer({ release, data })
  await write(third, 'new')
  expect(await late.catchUp(third)).toMatch(/new/)
  expect(await early.catchUp(third)).toMatch(/new/)
  expect(textOf(early).toString()).not.toMatch(/lost/)
})
