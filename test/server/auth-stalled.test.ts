import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { requestEvents } from '../support/event-stream.ts'
import { type InProcessServer, startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { step1 } from '../support/messages.ts'
import { connectRaw } from '../support/raw-client.ts'
import { openRawSocket } from '../support/raw-socket.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const document = 'notes'
/** Less than what makes a reader a stalled one. */
const LIFE_MS = 30_000
/** How long who has stalled may hold the socket. */
const GRACE_MS = 2000
/** More than the system takes for somebody who reads nothing. */
const LARGE = 16 * 1024 * 1024

interface Scene extends InProcessServer {
  readonly clock: ManualClock
  /** Good for LIFE_MS. */
  readonly valid: string
  readonly headers: Readonly<Record<string, string>>
}

async function setScene(length: number): Promise<Scene> {
  const clock = new ManualClock()
  const server = await startInProcess({ release, clock, options: { authSecret: SECRET, authLeewayMs: 0 } })
  await server.server.edit(document, (doc) => doc.getText('text').insert(0, 'x'.repeat(length)))
  const now = clock.now() / 1000
  const valid = await token({ iat: now, exp: now + LIFE_MS / 1000 })
  return { ...server, clock, valid, headers: { authorization: `Bearer ${valid}` } }
}

/** Reads to the end: how many bytes came, and why the line broke where it did. */
async function drain(response: IncomingMessage): Promise<{ bytes: number; error: unknown }> {
  let bytes = 0
  try {
    for await (const text of response) bytes += text.length
    return { bytes, error: undefined }
  } catch (error) {
    return { bytes, error }
  }
}

test.each<[string, (scene: Scene) => Promise<void> | void]>([
  ['revoked', ({ server }) => server.revoke({ user: 'ada' })],
  ['over', ({ clock }) => clock.advance(LIFE_MS)],
])('THREATS auth: a reader that has stalled is cut soon after its access is %s, and gets no more', async (_, end) => {
  const scene = await setScene(LARGE)
  const { url, clock, headers } = scene
  const stalled = await requestEvents({ release, url, segment: document, headers })
  await once(stalled, 'readable')
  await end(scene)
  await clock.hasTimerOf(GRACE_MS)
  expect(stalled.socket.destroyed).toBe(false)
  clock.advance(GRACE_MS)
  const { bytes, error } = await drain(stalled)
  expect(error).toMatchObject({ code: 'ECONNRESET' })
  expect(bytes).toBeLessThan(LARGE / 2)
})

test.each<[string, (scene: Scene) => Promise<void> | void, number]>([
  ['revoked', ({ server }) => server.revoke({ user: 'ada' }), 1000],
  ['over', ({ clock }) => clock.advance(LIFE_MS), 0],
])('THREATS auth: a WebSocket that has stalled is cut soon after its access is %s', async (_, end, toldAfterMs) => {
  const scene = await setScene(LARGE)
  const { url, clock, valid } = scene
  const stalled = await openRawSocket({ release, url, target: `/${document}?token=${valid}` })
  stalled.pause()
  stalled.send({ payload: step1() })
  // Whoever asks later has the document later.
  await (await connectRaw({ release, url, document, query: `?token=${valid}` })).follow()
  await end(scene)
  await clock.hasTimerOf(toldAfterMs + GRACE_MS)
  clock.advance(toldAfterMs)
  clock.advance(GRACE_MS)
  stalled.resume()
  expect(await stalled.closed).toEqual({ code: 1006, reason: '' })
})

test('R40 a reader that has not stalled is told the end, and goes on over another line', async () => {
  const { url, server, clock, headers } = await setScene(10)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  release(async () => agent.destroy())
  const request = get(`${url}api/documents/${document}/events`, { headers, agent })
  const [response]: IncomingMessage[] = await once(request, 'response')
  await once(response, 'readable')
  await server.revoke({ user: 'ada' })
  expect(await drain(response)).toMatchObject({ error: undefined })
  clock.advance(GRACE_MS)
  const again = get(`${url}health`, { agent })
  const [health]: IncomingMessage[] = await once(again, 'response')
  expect([again.reusedSocket, health.statusCode]).toEqual([false, 200])
  health.resume()
})
