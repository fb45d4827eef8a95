import * as encoding from 'lib0/encoding'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startBesieged } from '../support/besieged.ts'
import { Bystanders } from '../support/bystanders.ts'
import { bytes } from '../support/bytes.ts'
import { edit, Writer } from '../support/edits.ts'
import { lastEntry } from '../support/event-stream.ts'
import { presence, QUERY_PRESENCE, step1, step2, update } from '../support/messages.ts'
import { connectRaw, type RawClientOptions, store } from '../support/raw-client.ts'
import { openRawSocket } from '../support/raw-socket.ts'

const release = onTestFinished
const document = 'notes'

async function attack(options: Partial<RawClientOptions> = {}) {
  const { url, others, lines } = await startBesieged({ release })
  const there = { release, url, others, document }
  const bystanders = await Bystanders.join(there)
  const attacker = await connectRaw({ ...there, protocols: ['coedit.v1'], ...options })
  return { url, lines, there, bystanders, attacker }
}

const NEVER_ENDS = new Uint8Array(1000).fill(0xff)

describe('R31', () => {
  test.each<[string, Uint8Array]>([
    ['that is empty', bytes()],
    ['whose type never ends', NEVER_ENDS],
    ['of sync without a kind', bytes(0)],
    ['of an unknown sync kind', bytes(0, 3, 2, 0, 0)],
    ['of the largest sync kind', bytes(0, 2 ** 53 - 1, 0)],
    ['whose sync kind never ends', bytes(0, NEVER_ENDS)],
    ['whose length never ends', bytes(0, 2, NEVER_ENDS)],
    ['of a Step1 that is declared as 2^53 bytes', bytes(0, 0, 2 ** 53 - 1, 0)],
    ['of an Update that is declared as 2^32 bytes', bytes(0, 2, 2 ** 32, 0, 0)],
    ['of a Step1 followed by an Update', bytes(step1(), update(edit('x').update))],
    ['of a question for presence that goes on', bytes(QUERY_PRESENCE, 0)],
    ['of presence without a body', bytes(1)],
    ['of more presence than bytes', bytes(1, 3, 200, 1, 0)],
    ['of 2^53 present clients', bytes(1, 8, 2 ** 53 - 1)],
  ])('R31 a message %s closes its sender with 1008, alone', async (_, message) => {
    const { attacker, bystanders } = await attack()
    attacker.send(message, update(edit('after').update))
    expect(await attacker.closed).toMatchObject({ code: 1008, reason: /./ })
    await bystanders.areUnharmed()
  })

  test.each<[string, Uint8Array]>([
    ['of a state vector cut short', bytes(0, 0, 2, 1, 7)],
    ['of a state vector with more clients than bytes', bytes(0, 0, 8, 2 ** 53 - 1)],
    ['of a state vector with a clock of 2^53', step1(bytes(1, 7, 2 ** 53 - 1))],
    ['of a state vector after which something follows', step1(bytes(0, 0))],
  ])('R31 a Step1 %s closes its sender with 1008, alone', async (_, message) => {
    const { attacker, bystanders } = await attack()
    attacker.send(message)
    expect(await attacker.closed).toMatchObject({ code: 1008, reason: /./ })
    await bystanders.areUnharmed()
  })

  test('R31 a message before the first Step1 that is over its lower limit closes with 1009', async () => {
    const { attacker, bystanders } = await attack()
    attacker.send(bytes(42, new Uint8Array(1024 * 1024)))
    expect((await attacker.closed).code).toBe(1009)
    await bystanders.areUnharmed()
  })
})

test('R31 a message that is cut anywhere closes its sender with 1008, alone', async () => {
  const { there, bystanders } = await attack()
  const good = [step1(edit('x').stateVector), step2(edit('x').update), presence({ clientId: 7, clock: 1, state: {} })]
  for (const message of good) {
    for (let length = 0; length < message.length; length++) {
      const attacker = await connectRaw(there)
      attacker.send(message.subarray(0, length))
      expect((await attacker.closed).code, `${message} cut to ${length} bytes`).toBe(1008)
    }
  }
  await bystanders.areUnharmed()
})

test('R30 a flood of messages of unknown types is ignored, and said nothing about', async () => {
  const { attacker, bystanders, lines } = await attack()
  for (let i = 0; i < 10_000; i++) attacker.send(bytes(4 + (i % 90), 'noise'))
  await attacker.follow()
  await bystanders.areUnharmed()
  expect(lines.filter(({ level }) => level !== 'debug' && level !== 'info')).toEqual([])
})

test('R30 refusals and acknowledgements from a client change nothing', async () => {
  const { attacker, bystanders } = await attack()
  attacker.send(bytes(2, 0, 'I deny it'), bytes(100, 2 ** 53 - 1), bytes(100), bytes(2), bytes(102, 0), bytes(102))
  await attacker.follow()
  await bystanders.areUnharmed()
})

test('R9 of a flood of Step1 whose sender does not read, a bounded part is answered', async () => {
  const { url, there, bystanders } = await attack()
  const writer = new Writer(7)
  await store(there, writer.insert('x'.repeat(200_000)).update)
  const flooder = await openRawSocket({ release, url, target: `/${document}` })
  flooder.pause()
  for (let round = 0; round < 20; round++) {
    flooder.send(...Array.from({ length: 500 }, () => ({ payload: step1() })))
    await flooder.flushed()
    await bystanders.areUnharmed(7)
  }
  flooder.resume()
  flooder.send({ payload: step1(writer.stateVector) })
  await flooder.until((messages) => messages.at(-1)?.equals(Buffer.from(step2())) === true)
  expect(flooder.messages.length).toBeLessThan(500)
})

test('R6 a state vector of a million clients that nobody knows is answered like an empty one', async () => {
  const { attacker, bystanders } = await attack()
  await attacker.follow()
  const [before] = attacker.all('update')
  attacker.send(step1(stateVectorOf(1_000_000)))
  await attacker.message('step2', 1)
  expect(attacker.all('update')).toEqual([before, before])
  await bystanders.areUnharmed()
})

test('R6 a state vector of more than a million clients closes with 1008', async () => {
  const { attacker, bystanders } = await attack()
  await attacker.follow()
  attacker.send(step1(bytes(1_000_001, new Uint8Array(2_000_002))))
  expect((await attacker.closed).code).toBe(1008)
  await bystanders.areUnharmed()
})

test('R14 a Step2 that nobody asked for is taken like any edit', async () => {
  const { attacker, bystanders } = await attack()
  await attacker.follow(step2(), step2(edit('a', 7).update), step2(edit('b', 8).update))
  await attacker.until('all is acknowledged', () => attacker.acknowledged === 3)
  await bystanders.areUnharmed(7, 8)
})

test('R5 a flood of edits from a reader is denied once and never taken', async () => {
  const { there, attacker, bystanders } = await attack({ query: '?access=read' })
  const last = await lastEntry(there)
  const writer = new Writer()
  for (let i = 0; i < 1000; i++) attacker.send(update(writer.insert('x').update), step2(writer.everything))
  await attacker.follow()
  expect(attacker.all('denied')).toHaveLength(1)
  expect(await lastEntry(there)).toBe(last)
  await bystanders.areUnharmed()
})

test('R28 a flood of questions for presence whose sender does not read is answered in a bounded part', async () => {
  const { url, bystanders } = await attack()
  const flooder = await openRawSocket({ release, url, target: `/${document}` })
  for (const { provider } of bystanders.here) provider.awareness.setLocalStateField('text', 'x'.repeat(10_000))
  await flooder.until((messages) => Buffer.concat(messages).length > bystanders.here.length * 10_000)
  flooder.pause()
  for (let round = 0; round < 20; round++) {
    flooder.send(...Array.from({ length: 1000 }, () => ({ payload: QUERY_PRESENCE })))
    await flooder.flushed()
    await bystanders.areUnharmed()
  }
  flooder.send({ payload: presence({ clientId: 9, clock: 1, state: 'the server has read all of it' }) })
  await bystanders.here[0]?.sees(9, ...bystanders.here.map(({ doc }) => doc.clientID))
  flooder.resume()
  flooder.send({ payload: step1() })
  await flooder.until((messages) => messages.some((message) => message.equals(Buffer.from(step2()))))
  expect(flooder.messages.length).toBeLessThan(2000)
})

/** That many clients with one id each. */
function stateVectorOf(clients: number): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, clients)
    for (let client = 0; client < clients; client++) {
      encoding.writeVarUint(encoder, client)
      encoding.writeVarUint(encoder, 1)
    }
  })
}
