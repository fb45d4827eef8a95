import { describe, expect, onTestFinished, test } from 'vitest'
import type { Authenticate, ServerOptions } from '../../server/src/index.ts'
import { Bystanders } from '../support/bystanders.ts'
import { edit } from '../support/edits.ts'
import { requestEvents } from '../support/event-stream.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { LeapingClock } from '../support/leaping-clock.ts'
import { update } from '../support/messages.ts'
import { connectRaw } from '../support/raw-client.ts'
import { openRawSocket } from '../support/raw-socket.ts'

const release = onTestFinished
const document = 'notes'
const MAX = 3
/** Somebody behind a proxy on this machine, whose own connections are not counted. */
const SOMEBODY = '203.0.113.7'
const SOMEBODY_ELSE = '203.0.113.8'

async function start(options: ServerOptions) {
  const clock = new LeapingClock()
  const { url } = await startInProcess({ release, options, clock })
  const socket = (address: string, target = `/${document}`) =>
    openRawSocket({ release, url, target, headers: { 'X-Forwarded-For': address } })
  const events = (address: string, segment = document) =>
    requestEvents({ release, url, segment, headers: { 'x-forwarded-for': address } })
  const status = async (address: string) => (await (await socket(address)).answer).status
  return { there: { release, url, document }, clock, socket, status, events }
}

/** Asks until the answer is this one. */
async function untilAnswered(expected: number, ask: () => Promise<number | undefined>): Promise<void> {
  while ((await ask()) !== expected);
}

describe('R32', () => {
  const options = { maxConnectionsPerAddress: MAX }

  test('R32 one address gets no more connections than it may have, and nobody else notices', async () => {
    const { there, socket, status } = await start(options)
    const bystanders = await Bystanders.join(there)
    const [first] = await Promise.all(Array.from({ length: MAX }, () => socket(SOMEBODY)))
    for (let i = 0; i < 50; i++) expect(await status(SOMEBODY)).toBe(429)
    expect(await status(SOMEBODY_ELSE)).toBe(101)
    await bystanders.areUnharmed()
    first.cut()
    await untilAnswered(101, () => status(SOMEBODY))
    expect(await status(SOMEBODY)).toBe(429)
  })

  test('R32 event streams are connections, too, until they are cut', async () => {
    const { there, status, events } = await start(options)
    const bystanders = await Bystanders.join(there)
    const streams = await Promise.all(Array.from({ length: MAX }, () => events(SOMEBODY)))
    expect(streams.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200])
    const refused = await events(SOMEBODY)
    expect(refused.statusCode).toBe(429)
    expect(JSON.parse(await textOf(refused))).toMatchObject({ error: { code: 'TOO_MANY_CONNECTIONS' } })
    expect(await status(SOMEBODY)).toBe(429)
    for (const stream of streams) stream.destroy()
    await untilAnswered(101, () => status(SOMEBODY))
    await bystanders.areUnharmed()
  })

  test('R32 a connection that is refused for its name has a place until it is closed', async () => {
    const { clock, socket, status } = await start(options)
    const refused = await Promise.all(Array.from({ length: MAX }, () => socket(SOMEBODY, '/..')))
    expect(await status(SOMEBODY)).toBe(429)
    clock.leap(10_000)
    await Promise.all(refused.map(({ closed }) => closed))
    await untilAnswered(101, () => status(SOMEBODY))
  })

  test('R32 requests of this machine itself are not counted', async () => {
    const { there } = await start(options)
    const clients = await Promise.all(Array.from({ length: 2 * MAX }, () => connectRaw(there)))
    await Promise.all(clients.map((client) => client.follow()))
  })
})

test('R33 a document has no more connections than it may have: 1013, and 429 for an event stream', async () => {
  const { there, events } = await start({ maxConnectionsPerDocument: MAX })
  const clients = await Promise.all(Array.from({ length: MAX }, () => connectRaw(there)))
  await Promise.all(clients.map((client) => client.follow()))
  expect((await (await connectRaw(there)).closed).code).toBe(1013)
  expect((await events(SOMEBODY)).statusCode).toBe(429)
  expect((await events(SOMEBODY, 'another')).statusCode).toBe(200)
  clients[0].send(update(edit('hello').update))
  await Promise.all(clients.slice(1).map((client) => client.message('update')))
  clients[0].cut()
  await untilAnswered(200, async () => (await events(SOMEBODY)).statusCode)
})

test('R33 a user has no more connections than it may have, on whatever document', async () => {
  const options = { maxConnectionsPerUser: MAX }
  const authenticate: Authenticate = ({ token }) => ({ user: token, access: 'write' })
  const { url } = await startInProcess({ release, options, authenticate })
  const join = (user: string, name: string) => connectRaw({ release, url, document: name, query: `?token=${user}` })
  const clients = await Promise.all(['a', 'b', 'c'].map((name) => join('ann', name)))
  await Promise.all(clients.map((client) => client.follow()))
  expect((await (await join('ann', 'd')).closed).code).toBe(1013)
  await (await join('ben', 'd')).follow()
})

async function textOf(response: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const part of response) text += part
  return text
}
