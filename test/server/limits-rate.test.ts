import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SampledMeter } from '../../server/src/common/busy-time.ts'
import { NO_METERS } from '../../server/src/common/meters.ts'
import { parseOptions, type ServerOptions } from '../../server/src/config/config.ts'
import { Throttle } from '../../server/src/peers/throttle.ts'
import { Bystanders } from '../support/bystanders.ts'
import { bytes } from '../support/bytes.ts'
import { edit, Writer } from '../support/edits.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { LeapingClock } from '../support/leaping-clock.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { step1, step2, update } from '../support/messages.ts'
import { connectRaw, store } from '../support/raw-client.ts'
import { OPCODE, openRawSocket, type RawSocket } from '../support/raw-socket.ts'

const release = onTestFinished
const document = 'notes'
const MB = 1_000_000

describe('a throttle', () => {
  function start(options: ServerOptions) {
    const clock = new ManualClock()
    let usedMs = 0
    const throttle = new Throttle(parseOptions(options), clock, NO_METERS, new SampledMeter(() => usedMs))
    const work = (ms: number, cpuMs = ms) =>
      throttle.measure(() => {
        clock.advance(ms)
        usedMs += cpuMs
      })
    return { clock, throttle, work }
  }

  test('lets a burst through and then holds up for as long as what was too much takes', () => {
    const { clock, throttle } = start({ maxBytesPerSecond: MB, maxBurstBytes: 5 * MB })
    throttle.received(5 * MB)
    expect(throttle.pause()).toBeUndefined()
    throttle.received(3 * MB)
    void throttle.pause()
    expect(clock.pending).toEqual([3000])
    clock.advance(3000)
    expect(throttle.pause()).toBeUndefined()
  })

  test('counts the time of work, and gives back what it returns', () => {
    const { clock, throttle, work } = start({ maxCpuMsPerSecond: 200 })
    // 2 s at once, while 0.4 s come back.
    work(2000)
    expect(throttle.pause()).toBeUndefined()
    work(1000)
    void throttle.pause()
    // 3000 of 2000 + 600, at 0.2 ms a millisecond.
    expect(clock.pending).toEqual([expect.closeTo(2000)])
    expect(throttle.measure(() => 'done')).toBe('done')
  })

  test('counts neither time in which the process stood still nor what its other threads do', () => {
    const { clock, throttle, work } = start({ maxCpuMsPerSecond: 200 })
    work(60_000, 1)
    work(1, 60_000)
    expect(throttle.pause()).toBeUndefined()
    expect(clock.pending).toEqual([])
  })

  test('saves no more than a burst', () => {
    const { clock, throttle } = start({ maxBytesPerSecond: MB, maxBurstBytes: 5 * MB })
    clock.advance(3_600_000)
    expect(throttle.pause()).toBeUndefined()
    throttle.received(6 * MB)
    void throttle.pause()
    expect(clock.pending).toEqual([1000])
  })

  test('holds up nobody any more once it is lifted', async () => {
    const { clock, throttle } = start({ maxBytesPerSecond: MB, maxBurstBytes: MB })
    throttle.received(60 * MB)
    const pause = throttle.pause()
    throttle.lift()
    await pause
    expect(clock.pending).toEqual([])
    expect(throttle.pause()).toBeUndefined()
  })
})

test('R35 who sends more than it may is read later, and neither closed nor heard by the others meanwhile', async () => {
  const clock = new LeapingClock()
  const options = { maxBytesPerSecond: 10_000, maxBurstBytes: 200_000 }
  const { url } = await startInProcess({ release, clock, options })
  const there = { release, url, document }
  const bystanders = await Bystanders.join(there)
  const flooder = await connectRaw({ ...there, protocols: ['coedit.v1'] })
  await flooder.follow(step2())
  const writer = new Writer(7)
  for (let i = 0; i < 40; i++) flooder.send(update(writer.insert('x'.repeat(10_000)).update))
  await flooder.until('the burst is acknowledged', () => Number(flooder.acknowledged) >= 20)
  await bystanders.areUnharmed(7)
  expect(flooder.acknowledged).toBeLessThan(30)
  clock.leap(60_000)
  await flooder.until('all is acknowledged', () => flooder.acknowledged === 41)
  await bystanders.areUnharmed(7)
})

test('R35 a connection that is paused holds up no shutdown', async () => {
  const options = { maxBytesPerSecond: 1024, maxBurstBytes: 1024 }
  const { url, server, lines } = await startInProcess({ release, options })
  const there = { release, url, document }
  const client = await connectRaw(there)
  await client.follow(step2())
  const writer = new Writer(7)
  client.send(update(writer.insert('x'.repeat(50_000)).update), update(writer.insert('y').update))
  const reader = await connectRaw(there)
  await reader.follow()
  await reader.until('the first edit is there', () => reader.doc.getText('text').length >= 50_000)
  await server.close()
  expect((await client.closed).code).toBe(1012)
  expect(lines.filter(({ level }) => level === 'error')).toEqual([])
})

test('R35 the time that a flood of repeated edits takes is counted', async () => {
  const { url } = await startInProcess({ release, options: { maxCpuMsPerSecond: 10 } })
  const there = { release, url, document }
  const bystanders = await Bystanders.join(there)
  const flooder = await connectRaw(there)
  await flooder.follow()
  const message = update(edit('x', 7).update)
  let isRead = false
  for (let i = 0; i < 100_000; i++) flooder.send(message)
  void flooder.roundTrip().then(() => {
    isRead = true
  })
  await bystanders.areUnharmed(7)
  await bystanders.areUnharmed(7)
  expect(isRead).toBe(false)
})

describe('R35 of many small messages that come together one is taken in a turn of the event loop', () => {
  const MANY = 1000

  async function mostInATurn(sendFlood: (socket: RawSocket) => Promise<void>): Promise<number> {
    const { url, lines } = await startInProcess({ release })
    const socket = await openRawSocket({ release, url, target: `/${document}` })
    const ignored = () => lines.filter(({ message }) => message.startsWith('ignored a message')).length
    let most = 0
    void sendFlood(socket)
    for (let before = 0; before < MANY; before = ignored()) {
      await nextTurn()
      most = Math.max(most, ignored() - before)
    }
    return most
  }

  const unknown = { payload: bytes(77) }
  const flood = (socket: RawSocket) => socket.send(...Array.from({ length: MANY }, () => unknown))

  test('R35 while the document is there', async () => {
    const most = await mostInATurn(async (socket) => {
      await socket.until((messages) => messages.length > 0)
      flood(socket)
    })
    expect(most).toBe(1)
  })

  test('R35 while it is being loaded', async () => {
    expect(await mostInATurn(async (socket) => flood(socket))).toBe(1)
  })
})

test('R35 a flood of pings is read later, too', async () => {
  const { url } = await startInProcess({ release, options: { maxBytesPerSecond: 1024, maxBurstBytes: 10_000 } })
  const bystanders = await Bystanders.join({ release, url, document: 'another' })
  const socket = await openRawSocket({ release, url, target: `/${document}` })
  // As fast as they are answered: who does not read would be cut.
  let answered = 0
  let isOver = false
  const flood = async () => {
    while (!isOver) {
      socket.send({ opcode: OPCODE.ping })
      await socket.untilPong(answered + 1)
      if (!isOver) answered++
    }
  }
  void flood()
  await bystanders.areUnharmed()
  await bystanders.areUnharmed()
  isOver = true
  expect(answered).toBeGreaterThan(0)
  expect(answered).toBeLessThan(30)
})

test('R35 a flood of Step1 that have the snapshot searched is read later, too', async () => {
  const { url, server } = await startInProcess({
    release,
    options: { maxBytesPerSecond: 1024, maxBurstBytes: 500_000 },
  })
  const there = { release, url, document }
  const writer = new Writer(7)
  await store(there, writer.insert('x'.repeat(100_000)).update, writer.insert('y').update)
  // It is compacted when nobody is there any more.
  while (server.stats.documents > 0) await fetch(`${url}health`)
  const bystanders = await Bystanders.join({ release, url, document: 'another' })
  const flooder = await connectRaw(there)
  let isOver = false
  const flood = async () => {
    for (let answers = 0; !isOver; answers++) {
      flooder.send(step1(bytes(1, 7, 1)))
      await flooder.message('step2', answers)
    }
  }
  void flood().catch(() => undefined)
  await bystanders.areUnharmed()
  await bystanders.areUnharmed()
  isOver = true
  expect(flooder.all('step2').length).toBeGreaterThan(1)
  expect(flooder.all('step2').length).toBeLessThan(10)
})

test('R35 what was written offline gets through, however large', async () => {
  const options = { maxBytesPerSecond: 4 * MB, maxBurstBytes: 2 * MB, maxCpuMsPerSecond: 500 }
  const { url } = await startInProcess({ release, options })
  const there = { release, url, document }
  const bystanders = await Bystanders.join(there)
  const writer = new Writer(7)
  for (let i = 0; i < 8; i++) writer.insert('x'.repeat(MB))
  const client = await connectRaw({ ...there, protocols: ['coedit.v1'] })
  await client.follow()
  client.send(step2(writer.everything), update(writer.insert('y').update))
  await bystanders.areUnharmed(7)
  await client.until('all is acknowledged', () => client.acknowledged === 2)
  await bystanders.areUnharmed(7)
})
