import * as encoding from 'lib0/encoding'
import { expect, onTestFinished, test } from 'vitest'
import type { ServerOptions } from '../../server/src/index.ts'
import { Bystanders } from '../support/bystanders.ts'
import { bytes } from '../support/bytes.ts'
import { edit, Writer } from '../support/edits.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { step2, update } from '../support/messages.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'

const release = onTestFinished
const document = 'notes'
const KiB = 1024

async function start(options: ServerOptions) {
  const { url } = await startInProcess({ release, options })
  const there = { release, url, document }
  const join = async (content?: Uint8Array) => {
    const client = await connectRaw({ ...there, protocols: ['coedit.v1'] })
    await client.follow(step2(content))
    return client
  }
  return { there, join }
}

function acknowledged(client: RawClient, count: number): Promise<void> {
  return client.until(`${count} messages are acknowledged`, () => client.acknowledged === count)
}

/** Resolves when the server has told that the document is full. */
async function refused(client: RawClient): Promise<void> {
  await client.message('full')
}

/** Has a document filled to its brim by one client of whom everything is taken. */
async function fill(client: RawClient, writer: Writer, byteLength: number): Promise<void> {
  for (let sent = 0; sent < byteLength; sent += 8 * KiB) client.send(update(writer.insert('x'.repeat(8 * KiB)).update))
  await acknowledged(client, 1 + Math.ceil(byteLength / (8 * KiB)))
}

test('R34 what a document has no room for is not taken, its writer is told, and everybody reads on', async () => {
  const { there, join } = await start({ maxDocumentBytes: 72 * KiB })
  const bystanders = await Bystanders.join(there)
  const client = await join()
  const writer = new Writer(7)
  await fill(client, writer, 56 * KiB)
  await bystanders.areUnharmed(7)
  await fill(await join(), new Writer(8), 8 * KiB)
  client.send(update(writer.insert('y'.repeat(8 * KiB)).update), update(writer.insert('z').update))
  await refused(client)
  await client.roundTrip()
  expect(client.all('full')).toHaveLength(1)
  expect(client.acknowledged).toBe(8)
  const reader = await join()
  expect(reader.doc.getText('text').toString()).not.toMatch(/[yz]/)
  expect(bystanders.here.map(({ losses }) => losses)).toEqual([0, 0])
})

test('R34 a client that speaks no coedit.v1 is told in words, once, and may write on', async () => {
  const { there, join } = await start({ maxDocumentBytes: 72 * KiB })
  await fill(await join(), new Writer(7), 64 * KiB)
  const client = await connectRaw(there)
  await client.follow(step2())
  const writer = new Writer(8)
  client.send(update(writer.insert('y'.repeat(16 * KiB)).update), update(writer.insert('z').update))
  expect((await client.message('denied')).reason).toMatch(/has reached its limit and takes only deletions/)
  client.send(update(bytes(0, 1, 7, 1, 0, 1)))
  await client.roundTrip()
  expect(client.types.filter((type) => type !== 'update')).toEqual(['step1', 'step2', 'denied'])
  const reader = await join()
  await reader.until('the deletion is taken', () => reader.doc.getText('text').length === 64 * KiB - 1)
})

test('R34 a full document can be emptied, and then gets what was refused, from who still holds it', async () => {
  const { join } = await start({ maxDocumentBytes: 72 * KiB, compactIntervalMs: 100 })
  const client = await join()
  const writer = new Writer()
  await fill(client, writer, 64 * KiB)
  const tooMuch = 'y'.repeat(16 * KiB)
  const refusedEdit = edit(tooMuch).update
  const other = await join(refusedEdit)
  await refused(other)
  const asked = other.all('step1').length
  client.send(update(writer.delete(0, 64 * KiB).update))
  await acknowledged(client, 10)
  let answered = 0
  const answer = async () => {
    // A compaction that began before the deletion asks, too, and there is no room after it.
    for (; ; answered++) {
      await other.message('step1', asked + answered)
      other.send(step2(refusedEdit))
    }
  }
  void answer().catch(() => undefined)
  await other.until('what was refused is taken', () => answered > 0 && other.acknowledged === 1 + answered)
  const reader = await join()
  expect(reader.doc.getText('text').toString()).toBe(tooMuch)
})

test('R34 deletions have room left when nothing else has, but not without end', async () => {
  const { join } = await start({ maxDocumentBytes: 72 * KiB })
  const client = await join()
  const writer = new Writer(7)
  await fill(client, writer, 64 * KiB)
  const every = (from: number, count: number) =>
    bytes(0, 1, 7, count, ...Array.from({ length: count }, (_, index) => bytes(from + 3 * index, 1)))
  client.send(update(every(0, 100)))
  await acknowledged(client, 10)
  for (let round = 1; round < 20; round++) client.send(update(every(300 * round, 100)))
  await refused(client)
  await client.roundTrip()
  // What is left and an eighth of the limit make 17 KiB, at 16 bytes and more a range.
  expect(client.acknowledged).toBeLessThan(20)
  const before = client.acknowledged
  const again = await join(every(0, 100))
  await acknowledged(again, 1)
  expect(client.acknowledged).toBe(before)
})

test('R34 client ids are limited, too', async () => {
  const { there, join } = await start({ maxDocumentClients: 10 })
  const bystanders = await Bystanders.join(there)
  const client = await join()
  for (let id = 1; id <= 20; id++) client.send(update(edit('x', id).update))
  await refused(client)
  const reader = await join()
  await reader.until('it has all that there is', () => reader.doc.store.clients.size === 10)
  client.send(update(edit('xy', 1).update))
  await client.roundTrip()
  expect(reader.doc.store.clients.size).toBe(10)
  expect(bystanders.here.map(({ losses }) => losses)).toEqual([0, 0])
})

test('R34 of a large message as much is taken as there is room for', async () => {
  const { join } = await start({ maxDocumentBytes: 256 * KiB })
  const writer = new Writer(7)
  for (let i = 0; i < 1000; i++) writer.insert('x'.repeat(KiB))
  const client = await join(writer.everything)
  await refused(client)
  expect(client.acknowledged).toBeUndefined()
  const reader = await join()
  const length = () => reader.doc.getText('text').length
  await reader.until('most of it is there', () => length() > 200 * KiB)
  expect(length()).toBeLessThan((256 + 64) * KiB)
})

test('R16 an update with more deleted ranges than memory should hold closes its sender alone', async () => {
  const { there, join } = await start({})
  const bystanders = await Bystanders.join(there)
  const client = await join()
  client.send(update(manyDeletions(9_000_000)))
  expect((await client.closed).code).toBe(1008)
  await bystanders.areUnharmed()
})

/** Ranges of which none touches another. */
function manyDeletions(count: number): Uint8Array {
  return encoding.encode((encoder) => {
    for (const number of [0, 1, 7, count]) encoding.writeVarUint(encoder, number)
    for (let i = 0; i < count; i++) {
      encoding.writeVarUint(encoder, 2 * i)
      encoding.writeVarUint(encoder, 1)
    }
  })
}
