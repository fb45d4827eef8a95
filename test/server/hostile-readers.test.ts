import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import * as Y from 'yjs'
import type { ServerOptions } from '../../server/src/index.ts'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { Bystanders } from '../support/bystanders.ts'
import { bytes } from '../support/bytes.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { EMPTY_STATE, step1 } from '../support/messages.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'
import { textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'
const COMPACTED = 'compacted a document'
const COMPACTING: ServerOptions = { compactIntervalMs: 0, compactMinBytes: 0, compactRatio: 0 }
/** A difference to so much is searched for in place, and to so much in a worker. */
const SIZES = [
  ['a small document', 5_000],
  ['a large document', 300_000],
] as const
/** Twice what the system takes for a connection of which nothing is read. */
const MORE_THAN_SOCKETS_TAKE = 12_000_000
const ROOM_FOR_ONE = MORE_THAN_SOCKETS_TAKE + 100_000

/** A server with a document of one long text by one client, all of it in the snapshot. */
async function start(length: number, options: ServerOptions) {
  const { url, server, lines, logged } = await startInProcess({ release, options: { ...COMPACTING, ...options } })
  const clientId = await server.edit(document, (doc) => {
    doc.getText('text').insert(0, 'x'.repeat(length))
    return doc.clientID
  })
  const started = { server, lines, logged, there: { release, url, document }, firstOnly: bytes(1, clientId, 1) }
  await untilCompacted(started, 1)
  return started
}

type Started = Awaited<ReturnType<typeof start>>

function compactions({ lines }: Pick<Started, 'lines'>): number {
  return lines.filter(({ message }) => message === COMPACTED).length
}

function untilCompacted({ logged }: Pick<Started, 'logged'>, times: number): Promise<void> {
  return logged(COMPACTED, times)
}

function type({ server }: Started): Promise<void> {
  return server.edit(document, (doc) => doc.getText('text').insert(0, 'y'))
}

/** Somebody who has asked for what it lacks. */
async function ask({ there }: Started, stateVector: Uint8Array): Promise<RawClient> {
  const client = await connectRaw(there)
  client.send(step1(stateVector))
  return client
}

async function answered(started: Started, stateVector: Uint8Array): Promise<RawClient> {
  const client = await ask(started, stateVector)
  await client.message('step2')
  return client
}

/** Whether the answer that a client got leaves out what it said it has. */
function isDifference(client: RawClient): boolean {
  return client.all('update').every(({ update }) => Y.decodeUpdate(update).structs.every(({ id }) => id.clock > 0))
}

/** Resolves when there is room for a difference again. */
async function untilThereIsRoom(started: Started): Promise<void> {
  while (!isDifference(await answered(started, started.firstOnly))) await nextTurn()
}

describe.each(SIZES)('of %s', (_, length) => {
  test('R7 a difference for which there is no room is not made: its reader gets what everybody gets', async () => {
    const started = await start(length, { maxPrivateBytes: length, chunkBytes: 1024 })
    const reader = await answered(started, started.firstOnly)
    const everybody = await answered(started, EMPTY_STATE)
    expect(reader.all('update')).toEqual(everybody.all('update'))
    expect(textOf(reader).length).toBe(length)
  })

  test('R7 those who leave while their difference is made take no room with them', async () => {
    const started = await start(length, { maxPrivateBytes: 1.5 * length })
    for (let i = 0; i < 20; i++) {
      const fickle = await ask(started, started.firstOnly)
      fickle.cut()
    }
    await untilThereIsRoom(started)
  })
})

test('R7 who does not read its difference holds that one, and the others get what everybody gets until it is gone', async () => {
  const started = await start(MORE_THAN_SOCKETS_TAKE, { maxPrivateBytes: ROOM_FOR_ONE })
  const bystanders = await Bystanders.join({ ...started.there, document: 'other notes' })
  const hostile = await ask(started, started.firstOnly)
  await hostile.message('update')
  hostile.pause()

  const honest = await answered(started, started.firstOnly)
  expect(isDifference(honest)).toBe(false)
  expect(textOf(honest).length).toBe(MORE_THAN_SOCKETS_TAKE)
  await bystanders.areUnharmed()

  hostile.cut()
  await untilThereIsRoom(started)
})

test('R7 who reads its difference late gets all of it, and gives the room back', async () => {
  const started = await start(MORE_THAN_SOCKETS_TAKE, { maxPrivateBytes: ROOM_FOR_ONE })
  const late = await ask(started, started.firstOnly)
  await late.message('update')
  late.pause()
  expect(isDifference(await answered(started, started.firstOnly))).toBe(false)
  late.resume()
  await late.message('step2')
  const lengths = late.all('update').flatMap(({ update }) => Y.decodeUpdate(update).structs.map((item) => item.length))
  expect(lengths.reduce((sum, length) => sum + length)).toBe(MORE_THAN_SOCKETS_TAKE - 1)
  await untilThereIsRoom(started)
})

test('while three snapshots are being sent no other is made, however slow those are who get them', async () => {
  const started = await start(MORE_THAN_SOCKETS_TAKE, { compactMaxEntries: 1 })
  const slow: RawClient[] = []
  for (let generation = 1; generation <= 3; generation++) {
    const reader = await ask(started, EMPTY_STATE)
    await reader.message('update')
    reader.pause()
    slow.push(reader)
    await type(started)
    if (generation < 3) await untilCompacted(started, 1 + generation)
  }
  const honest = await answered(started, EMPTY_STATE)
  expect(textOf(honest).length).toBe(MORE_THAN_SOCKETS_TAKE + 3)
  expect(compactions(started)).toBe(3)

  slow[0]?.cut()
  await type(started)
  await untilCompacted(started, 4)
})

test('R7 a snapshot that somebody does not read is not read from the disk once more for the next one', async () => {
  const started = await start(MORE_THAN_SOCKETS_TAKE, { snapshotCacheBytes: 0 })
  const hostile = await ask(started, EMPTY_STATE)
  await hostile.message('update')
  hostile.pause()
  const load = vi.spyOn(LevelStorage.prototype, 'load')
  onTestFinished(() => load.mockRestore())
  expect(textOf(await answered(started, EMPTY_STATE)).length).toBe(MORE_THAN_SOCKETS_TAKE)
  expect(load).not.toHaveBeenCalled()
})
