import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { KnownState, takeNews } from '../../server/src/protocol/update/update.ts'
import { bytes } from '../support/bytes.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { step1 } from '../support/messages.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { cases, runs } from '../support/runs.ts'
import { partsOf } from './amount.ts'
import { HttpInputs } from './http-inputs.ts'
import { fireHttp } from './http-shots.ts'
import { Inputs } from './inputs.ts'
import { fireKeyed, keyedVolleysOf } from './keyed-volleys.ts'
import { readOptions } from './options.ts'
import { besiege, ROUND, type SiegePlan } from './siege.ts'
import { readTraffic, type Traffic } from './traffic.ts'
import { expectUnharmed } from './unharmed.ts'
import { BATCH, Find, type Take, Validator } from './validator.ts'
import { fire, volleysOf } from './volley.ts'

const release = onTestFinished
const BATCHES = runs(20)
const SIEGE = { count: runs(2_000) }
const SHORT_SIEGE = { count: runs(500) }
/** Far above what any takes on a busy machine. */
const TIME_LIMIT = { timeout: runs(240_000) }

function seeded(seed: number, traffic: Traffic): Inputs {
  return new Inputs(seed, traffic)
}

test.each(cases([1], [2, 3]))(
  'what the protocol code takes of hostile inputs is what Yjs applies (seed %i)',
  TIME_LIMIT,
  async (seed) => {
    const traffic = await readTraffic()
    const validator = new Validator(seeded(seed, traffic), traffic)
    for (let batch = 0; batch < BATCHES; batch++) validator.run(batch * BATCH, (batch + 1) * BATCH - 1)
    const { inputs, refused, taken } = validator.tally
    expect(inputs).toBe(BATCHES * BATCH)
    // Where all are refused, or none, little is tried.
    expect(refused).toBeGreaterThan(inputs / 10)
    expect(taken).toBeGreaterThan(inputs / 10)
  },
)

test.each(cases([1], [2]))('innocent editors notice nothing of hostile inputs (seed %i)', TIME_LIMIT, async (seed) => {
  const traffic = await readTraffic()
  const report = await besiege({
    release,
    traffic,
    inputs: seeded(seed, traffic),
    first: 0,
    nextRound: partsOf(SIEGE, ROUND),
    say: () => undefined,
  })
  expectUnharmed(report)
  expect(report.inputs).toBe(SIEGE.count)
})

async function besiegeShortly(how: Pick<SiegePlan, 'database' | 'isKeyed' | 'requests'>): Promise<void> {
  const traffic = await readTraffic()
  const inputs = seeded(1, traffic)
  const nextRound = partsOf(SHORT_SIEGE, ROUND)
  const report = await besiege({ release, traffic, inputs, ...how, first: 0, nextRound, say: () => undefined })
  expectUnharmed(report)
  expect(report.inputs).toBe(SHORT_SIEGE.count)
}

test('nor do editors with y-websocket and with Hocuspocus of what comes by the latter', TIME_LIMIT, () =>
  besiegeShortly({ isKeyed: true }),
)

test('nor do editors of hostile requests to the API', TIME_LIMIT, async () =>
  besiegeShortly({ requests: new HttpInputs(1, await readTraffic()) }),
)

test('nor do editors at other servers', TIME_LIMIT, async ({ skip }) => {
  skip(findPostgres() === undefined, NO_POSTGRES)
  await besiegeShortly({ database: await (await startPostgres(release)).newDatabase() })
})

test('of the requests a good part is well-formed, every method among them, and known by seed and number', async () => {
  const traffic = await readTraffic()
  const requests = new HttpInputs(7, traffic)
  const all = Array.from({ length: 900 }, (_, number) => requests.at(number, 'notes'))
  const sound = all.filter(({ isWellFormed }) => isWellFormed)
  expect(sound.length).toBeGreaterThan(all.length / 2)
  expect(sound.length).toBeLessThan(all.length)
  expect(new Set(sound.map(({ method }) => method))).toEqual(
    new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']),
  )
  expect(new HttpInputs(7, traffic).at(500, 'notes')).toEqual(all[500])
})

test('every operation of the API is among the requests, as it is meant', async () => {
  const { url } = await startInProcess({ release })
  const answer = await fetch(`${url}api/openapi.json`)
  const { paths } = z
    .object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
    .parse(await answer.json())
  const requests = new HttpInputs(1, await readTraffic())
  const asked = Array.from({ length: 4_000 }, (_, number) => requests.at(number, 'notes'))
  const missing = Object.entries(paths).flatMap(([path, methods]) => {
    const pattern = new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[\\w-]+')}(\\?|$)`)
    const isAsked = (method: string) =>
      asked.some((one) => one.isWellFormed && one.method === method && pattern.test(one.target))
    return Object.keys(methods).flatMap((method) => (isAsked(method.toUpperCase()) ? [] : [`${method} ${path}`]))
  })
  expect(missing).toEqual([])
})

test('an input is known by its seed and its number', async () => {
  const traffic = await readTraffic()
  expect(seeded(7, traffic).at(1_000_000)).toEqual(seeded(7, traffic).at(1_000_000))
  expect(seeded(7, traffic).at(1_000_000)).not.toEqual(seeded(8, traffic).at(1_000_000))
  expect(seeded(7, traffic).at(1_000_000)).not.toEqual(seeded(7, traffic).at(1_000_001))
})

test('every input is in one volley, and only the last one of a volley ends its connection', async () => {
  const traffic = await readTraffic()
  const volleys = [...volleysOf(seeded(1, traffic), 100, 999)]
  expect(volleys[0].first).toBe(100)
  for (const [index, { last }] of volleys.entries()) expect(volleys[index + 1]?.first ?? 1000).toBe(last + 1)
  expect(new Set(volleys.map(({ end }) => end))).toEqual(new Set(['kept', 'refused', 'any']))
})

test('of those by the protocol of Hocuspocus a good part has to be kept, with all that only it has', async () => {
  const volleys = [...keyedVolleysOf(seeded(1, await readTraffic()), 100, 999, 'notes')]
  for (const [index, { last }] of volleys.entries()) expect(volleys[index + 1]?.first ?? 1000).toBe(last + 1)
  const kept = volleys.filter(({ end }) => end === 'kept')
  expect(kept.length).toBeGreaterThan(volleys.length / 10)
  expect(kept.length).toBeLessThan((volleys.length * 9) / 10)
  const said = new Set(kept.flatMap(({ frames }) => frames.map(({ payload }) => payload?.[payload[0] + 1])))
  for (const type of [0, 1, 2, 5, 7, 8]) expect(said).toContain(type)
})

test('a request that is answered by an error of the server, without a code, or not at all, is a find', async () => {
  const answers = ['500 Oops', '400 Bad Request']
  const http = createServer((socket) => {
    socket.on('error', () => undefined)
    const answer = answers.shift()
    socket.end(answer === undefined ? '' : `HTTP/1.1 ${answer}\r\nConnection: close\r\n\r\n`)
  }).listen(0, '127.0.0.1')
  release(async () => void http.close())
  await once(http, 'listening')
  const { port } = z.object({ port: z.number() }).parse(http.address())
  const input = { number: 0, method: 'GET', target: '/', headers: [], body: bytes(), isWellFormed: true }
  const fired = () => fireHttp(input, `http://127.0.0.1:${port}`)
  expect(await fired()).toMatch(/is answered 500/)
  expect(await fired()).toMatch(/400 without a code/)
  expect(await fired()).toMatch(/answered by ""/)
})

test('a connection that is closed and should not be, or the other way round, is a find', async () => {
  const { url } = await startInProcess({ release })
  const malformed = { first: 0, last: 0, frames: [{ payload: bytes(0) }] }
  const harmless = { first: 0, last: 0, frames: [] }
  expect(await fire({ ...malformed, end: 'refused' }, url, 'notes')).toBeUndefined()
  expect(await fire({ ...harmless, end: 'kept' }, url, 'notes')).toBeUndefined()
  expect(await fire({ ...malformed, end: 'kept' }, url, 'notes')).toMatch(/closed with 1008/)
  expect(await fireKeyed({ ...harmless, end: 'kept' }, url, 'notes')).toBeUndefined()
  const foreign = { ...harmless, frames: [{ payload: step1() }] }
  expect(await fireKeyed({ ...foreign, end: 'any' }, url, 'notes')).toBeUndefined()
  expect(await fireKeyed({ ...foreign, end: 'kept' }, url, 'notes')).toMatch(/closed with 4400/)
})

test.each<[string, Take]>([
  ['forgets what is known', (update) => takeNews(update, new KnownState())],
  ['deletes more than it says', (update, known) => takeNews(update, withDeletion(known))],
])('protocol code that %s is found out, and the find names the inputs', async (_, take) => {
  const traffic = await readTraffic()
  const validator = new Validator(seeded(1, traffic), traffic, take)
  expect(() => validator.run(300, 399)).toThrow(Find)
  expect(() => validator.run(300, 399)).toThrow(/^inputs 3\d\d-3\d\d: /)
})

function withDeletion(known: KnownState): KnownState {
  for (const client of known.clocks.keys()) known.delete(new Map([[client, [0, 1]]]))
  return known
}

test.each([
  [['--only', '7'], { first: 7, amount: { count: 1 } }],
  [['--only', '7-9'], { first: 7, amount: { count: 3 } }],
  [['--count', '50', '--seed', '3'], { first: 0, amount: { count: 50 }, seed: 3 }],
  [['--minutes', '2', '--validator'], { amount: { minutes: 2 }, mode: 'validator' }],
  [['--cluster', '--hocuspocus'], { mode: 'cluster', isKeyed: true }],
  [['--http'], { mode: 'server', isHttp: true }],
  [[], { amount: { minutes: 1 }, mode: 'server', seed: 99 }],
])('options %j', (args, expected) => {
  expect(readOptions(args, () => 99)).toMatchObject(expected)
})

test.each([[['--only', '9-7']], [['--only', '1-2-3']], [['--count', 'x']], [['--loud']]])(
  'options %j are refused',
  (args) => {
    expect(() => readOptions(args, () => 99)).toThrow()
  },
)
