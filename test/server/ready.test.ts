import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createServer } from '../../server/src/index.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { recordingLog } from '../support/log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { startServer } from '../support/process.ts'
import { allRead, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const release = onTestFinished
const document = 'notes'
const READY = [200, { status: 'ready' }]

/** What `/ready` says: the status, and the body. */
async function readiness(url: string): Promise<readonly [number, unknown]> {
  const response = await fetch(`${url}ready`)
  return [response.status, await response.json()]
}

function unready(reason: string): readonly [number, unknown] {
  return [503, { status: 'unready', reason: expect.stringContaining(reason) }]
}

test('from SIGTERM on a server is not ready, but serves who is there and who still comes until drainMs is over', async () => {
  const server = await startServer({ release, flags: ['--drain-ms', '600000'] })
  expect(await readiness(server.url)).toEqual(READY)
  const early = await syncedClient({ release, url: server.url, document })
  const ended = server.kill('SIGTERM')
  await server.logs('is not ready any more')
  expect(await readiness(server.url)).toEqual(unready('stopped'))
  const late = await syncedClient({ release, url: server.url, document })
  textOf(early).insert(0, 'here')
  await allRead([early, late], 'here')
  textOf(late).insert(0, 'still ')
  await allRead([early, late], 'still here')
  expect(early.losses + late.losses).toBe(0)
  // A second signal waits for nothing.
  await server.kill('SIGTERM')
  expect(await ended).toMatchObject({ code: 1, signal: null })
})

test('a server that has drained closes its clients and ends', async () => {
  const server = await startServer({ release, flags: ['--drain-ms', '1', '--log-level', 'debug'] })
  const client = await syncedClient({ release, url: server.url, document })
  const lost = client.lost()
  const { code, stderr } = await server.kill('SIGTERM')
  await lost
  expect([code, stderr]).toEqual([0, expect.stringMatching(/is not ready any more.*"msg":"closed"/s)])
})

test('close() lets all go on for exactly drainMs', async () => {
  const clock = new ManualClock()
  const { url, server } = await startInProcess({ release, clock, options: { drainMs: 5_000 } })
  const client = await syncedClient({ release, url, document })
  const lost = client.lost()
  const closed = server.close()
  expect(clock.pending).toContain(5_000)
  clock.advance(4_999)
  expect(await readiness(url)).toEqual(unready('stopped'))
  expect(client.losses).toBe(0)
  clock.advance(1)
  await lost
  await closed
})

test('a server with a name says it with its health and its readiness', async () => {
  const { url } = await startInProcess({ release, options: { nodeName: 'node-1' } })
  expect(await readiness(url)).toEqual([200, { status: 'ready', node: 'node-1' }])
  expect(await (await fetch(`${url}health`)).json()).toEqual({ status: 'ok', node: 'node-1' })
})

test('a server whose port is taken does not drain before it says so', async () => {
  const { url } = await startInProcess({ release })
  const { log } = recordingLog()
  const data = await temporaryDirectory(release)
  const options = { data, port: Number(new URL(url).port), drainMs: 600_000 }
  await expect(createServer(options, { log }).listen()).rejects.toMatchObject({ code: 'PORT_IN_USE' })
})

test('a server within another one is ready once it is open', async () => {
  const { log } = recordingLog()
  const coedit = createServer({ data: await temporaryDirectory(release), basePath: '/team' }, { log })
  release(() => coedit.close())
  const http = createHttpServer((request, response) => void coedit.handleRequest(request, response))
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  release(async () => void http.close())
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/team/`
  expect(await readiness(url)).toEqual(unready('starting'))
  await coedit.open()
  expect(await readiness(url)).toEqual(READY)
  await coedit.close()
  expect(await readiness(url)).toEqual(unready('stopped'))
})

test('a server on a database that does not answer is not ready, whether or not somebody is there, until it does', async ({
  skip,
}) => {
  if (findPostgres() === undefined) return skip(NO_POSTGRES)
  const postgres = await startPostgres(release)
  const server = await startServer({ release, flags: ['--database', await postgres.newDatabase()] })
  const becomes = async (status: number) => {
    while ((await readiness(server.url))[0] !== status);
  }
  expect(await readiness(server.url)).toEqual(READY)
  await postgres.kill()
  await becomes(503)
  expect(await readiness(server.url)).toEqual(unready('storage: '))
  const client = stockClient({ release, url: server.url, document })
  await postgres.restart()
  await becomes(200)
  await client.synced()
})
