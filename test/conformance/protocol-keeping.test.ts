import { describe, expect, onTestFinished, test } from 'vitest'
import { bytes } from '../support/bytes.ts'
import { edit } from '../support/edits.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { LeapingClock } from '../support/leaping-clock.ts'
import { presence, step1, step2, update } from '../support/messages.ts'
import { connectRaw, store } from '../support/raw-client.ts'
import { OPCODE, openRawSocket } from '../support/raw-socket.ts'
import { STOCK_VERSIONS, syncedClient } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'

async function start() {
  const clock = new LeapingClock()
  const { url, server } = await startInProcess({ release, clock })
  const there = { release, url, document }
  /** Lets time pass as it does: whoever looks at the time once a second does so. */
  const pass = (seconds: number) => {
    for (let second = 0; second < seconds; second++) clock.leap(1000)
  }
  return { server, url, there, pass }
}

describe('R29', () => {
  test('R29 after 20 s without a message the server sends an empty presence message', async () => {
    const { there, pass } = await start()
    const client = await connectRaw(there)
    await client.follow()
    pass(19)
    await client.roundTrip()
    expect(client.all('presence')).toEqual([])
    pass(2)
    expect(await client.message('presence')).toEqual({ type: 'presence', entries: [] })
    pass(21)
    await client.message('presence', 1)
  })

  test('R29 a message of any kind counts', async () => {
    const { there, pass } = await start()
    const client = await connectRaw(there)
    await client.follow()
    pass(15)
    await client.follow()
    pass(15)
    await client.roundTrip()
    expect(client.all('presence')).toEqual([])
  })

  test.each(STOCK_VERSIONS)('R29 a stock client %s takes it without complaint', async (version) => {
    const { there, pass } = await start()
    const client = await syncedClient({ ...there, version })
    const witness = await connectRaw(there)
    pass(21)
    await witness.message('presence')
    await store(there, edit('x').update)
    expect(client.losses).toBe(0)
  })

  test('R29 a peer that answers no ping is cut', async () => {
    const { there, pass } = await start()
    const client = await connectRaw(there)
    await client.follow()
    client.pause()
    pass(61)
    client.resume()
    expect((await client.closed).code).toBe(1006)
  })

  test('R29 a peer that answers pings stays, however long it says nothing', async () => {
    const { there, pass } = await start()
    const client = await connectRaw(there)
    await client.follow()
    for (let times = 0; times < 30; times++) {
      pass(10)
      // The first brings the server's ping, the second takes the answer along.
      await client.roundTrip()
      await client.roundTrip()
    }
    await client.follow()
  })
})

test.each([
  ['of an unknown type', bytes(4)],
  ['of an unknown type with a body', bytes(42, 'whatever', 7)],
  ['of the largest type', bytes(2 ** 53 - 1)],
  ['of permission denied', bytes(2, 0, 'you may not')],
  ['of an acknowledgement', bytes(100, 1_000_000)],
  ['of a full document', bytes(102, 0)],
  ['of the name of a server', bytes(103, 'node-1')],
])('R30 a message %s is ignored', async (_, message) => {
  const { there } = await start()
  const client = await connectRaw({ ...there, protocols: ['coedit.v1'] })
  await client.follow(step2(), message)
  await client.until('what came before is acknowledged', () => client.acknowledged === 1)
  await client.follow()
  expect(client.types.filter((type) => type !== 'step2')).toEqual(['step1', 'acknowledgement'])
})

describe('R31', () => {
  const whole = {
    Step1: step1(edit('x').stateVector),
    Step2: step2(edit('x').update),
    Update: update(edit('x').update),
    presence: presence({ clientId: 1, clock: 1, state: { name: 'Ada' } }),
  }

  test.each(Object.entries(whole))(
    'R31 a %s that is cut short closes with 1008, wherever it is cut',
    async (_, message) => {
      const { there } = await start()
      for (let length = 0; length < message.length; length++) {
        const client = await connectRaw(there)
        client.send(message.subarray(0, length))
        expect(await client.closed, `cut to ${length} bytes`).toMatchObject({ code: 1008, reason: /./ })
      }
    },
  )

  test.each(Object.entries(whole))('R31 a %s after which something follows closes with 1008', async (_, message) => {
    const { there } = await start()
    const client = await connectRaw(there)
    client.send(bytes(message, 0))
    expect((await client.closed).code).toBe(1008)
  })

  test.each([
    ['a sync message of an unknown kind', bytes(0, 3, 1, 0)],
    ['a message that is declared as 2^53 bytes', bytes(0, 2, 2 ** 53 - 1, 0)],
    ['a number that does not end', new Uint8Array(200).fill(0xff)],
  ])('R31 %s closes with 1008', async (_, message) => {
    const { there } = await start()
    const client = await connectRaw(there)
    client.send(message)
    expect((await client.closed).code).toBe(1008)
  })

  test('R31 a text frame closes with 1003', async () => {
    const { there } = await start()
    const client = await connectRaw(there)
    client.send('hello')
    expect((await client.closed).code).toBe(1003)
  })

  test('R31 a message over the limit closes with 1009, before the first Step1 over a lower limit', async () => {
    const options = { maxMessageBytes: 4096, maxFirstMessageBytes: 2048 }
    const { url } = await startInProcess({ release, options })
    const there = { release, url, document }
    const tooEarly = await connectRaw(there)
    tooEarly.send(bytes(42, new Uint8Array(2048)))
    expect((await tooEarly.closed).code).toBe(1009)

    const client = await connectRaw(there)
    await client.follow(bytes(42, new Uint8Array(2047)))
    await client.follow(bytes(42, new Uint8Array(4095)))
    client.send(bytes(42, new Uint8Array(4096)))
    expect((await client.closed).code).toBe(1009)
  })

  test('R31 a message in more than maxFragments fragments closes with 1008', async () => {
    const { url } = await startInProcess({ release, options: { maxFragments: 8 } })
    const fragments = (count: number) =>
      Array.from({ length: count }, (_, index) => ({
        opcode: index === 0 ? OPCODE.binary : OPCODE.continuation,
        fin: index === count - 1,
        payload: Uint8Array.of(42),
      }))
    const socket = await openRawSocket({ release, url, target: '/notes' })
    socket.send(...fragments(8), { opcode: OPCODE.ping })
    await socket.untilPong()
    socket.send(...fragments(9))
    expect((await socket.closed).code).toBe(1008)
  })
})

test('a server that stops closes with 1012, and stock clients come back', async () => {
  const { there, server } = await start()
  const client = await connectRaw(there)
  const stock = await syncedClient(there)
  const lost = stock.lost()
  await Promise.all([server.close(), lost])
  expect((await client.closed).code).toBe(1012)
  expect(stock.provider.shouldConnect).toBe(true)
})
