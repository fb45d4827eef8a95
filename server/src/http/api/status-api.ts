import { z } from '@hono/zod-openapi'
import type { Authority } from '../../auth/authority.ts'
import { cpuMeter } from '../../common/busy-time.ts'
import type { ErrorCode } from '../../common/errors.ts'
import type { Clock } from '../../common/timing.ts'
import type { Document } from '../../document/document.ts'
import type { Documents } from '../../document/documents.ts'
import { bearerIn } from '../credentials.ts'
import type { Metrics } from '../metrics.ts'
import type { ApiRoutes } from './api-routes.ts'
import { DOCUMENT, isoTime, NO_STORE } from './descriptions.ts'
import { connectionsAnswer, nameParams, statusAnswer } from './schemas.ts'

export interface StatusApiContext {
  readonly clock: Clock
  readonly authority: Authority
  readonly documents: Documents
  readonly metrics: Metrics
}

/** Documents that are told of one by one. */
const MAX_DOCUMENTS = 50
const MAX_CONNECTIONS = 1000
/** What others show of themselves is theirs to choose. */
const MAX_NAMES = 100
const MAX_NAME_LENGTH = 100

const STATUS: readonly ErrorCode[] = [
  'REQUEST_INVALID',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'BODY_UNEXPECTED',
  'AUTH_UNAVAILABLE',
]
const RIGHT = 'The token has to allow it: `{ "coedit": { "status": true } }`.'

/** How the server is doing, for people: what Prometheus is told, and which documents it is about. */
export function addStatus(api: ApiRoutes, { clock, authority, documents, metrics }: StatusApiContext): void {
  api.add(
    {
      method: 'get',
      path: '/api/status',
      summary: 'How this server is doing.',
      description: `Counts are since its start; what happens in between is the difference of two answers. ${RIGHT}`,
      params: z.object({}),
      query: z.object({}),
      responses: { 200: { description: 'The status.', content: { 'application/json': { schema: statusAnswer } } } },
      errors: STATUS,
    },
    async (c) => {
      await authority.authorizeStatus(bearerIn(c.req.header('authorization')))
      return c.json({ ...(await processNow(metrics)), ...documentsNow(documents, clock.now()) }, 200, NO_STORE)
    },
  )
  api.add(
    {
      method: 'get',
      path: `${DOCUMENT}/connections`,
      summary: 'Who is connected to a document at this server.',
      description: `By WebSocket, by event stream, or for as long as a request takes. ${RIGHT}`,
      params: nameParams,
      query: z.object({}),
      responses: {
        200: {
          description: `The first ${MAX_CONNECTIONS}.`,
          content: { 'application/json': { schema: connectionsAnswer } },
        },
      },
      errors: STATUS,
    },
    async (c, { params: { name } }) => {
      await authority.authorizeStatus(bearerIn(c.req.header('authorization')))
      const connections = authority
        .holders(name, MAX_CONNECTIONS)
        .map(({ since, ...facts }) => ({ ...facts, since: isoTime(since) }))
      return c.json({ connections, shown: namesShown(documents, name) }, 200, NO_STORE)
    },
  )
}

async function processNow(metrics: Metrics): Promise<object> {
  const { active, idle } = performance.eventLoopUtilization()
  return {
    time: isoTime(Date.now()),
    startedAt: isoTime(performance.timeOrigin),
    memoryBytes: process.memoryUsage.rss(),
    cpuSeconds: cpuMeter() / 1000,
    eventLoop: { activeSeconds: active / 1000, idleSeconds: idle / 1000 },
    ...metrics.present,
    ...(await metrics.totals()),
  }
}

function documentsNow(documents: Documents, now: number): object {
  const rates = new Map<Document, number>()
  const damaged: Document[] = []
  for (const document of documents.open) {
    rates.set(document, document.activity.perMinute(now))
    if (document.quarantined > 0 && damaged.length < MAX_DOCUMENTS) damaged.push(document)
  }
  return {
    busiest: largest(rates, MAX_DOCUMENTS).map(([document, rate]) => ({
      name: document.name,
      editsPerMinute: Math.round(rate),
      readers: document.readers,
      bytes: document.log.snapshotBytes + document.log.tailBytes,
    })),
    quarantined: damaged.map(({ name, quarantined }) => ({ name, updates: quarantined })),
  }
}

/** The entries with the largest values, without an order of all. */
function largest<T>(entries: Iterable<readonly [T, number]>, count: number): readonly (readonly [T, number])[] {
  let best: (readonly [T, number])[] = []
  const cut = () => {
    best = best.sort(([, one], [, other]) => other - one).slice(0, count)
  }
  for (const entry of entries) if (best.push(entry) >= 2 * count) cut()
  cut()
  return best
}

/** How those call themselves who show something, as editors have it. */
function namesShown(documents: Documents, document: string): readonly string[] {
  return documents
    .present(document)
    .slice(0, MAX_NAMES)
    .flatMap(({ state }) => {
      const shown: unknown = JSON.parse(Buffer.from(state).toString())
      const { data } = z.object({ user: z.object({ name: z.string() }) }).safeParse(shown)
      return data ? [data.user.name.slice(0, MAX_NAME_LENGTH)] : []
    })
}
