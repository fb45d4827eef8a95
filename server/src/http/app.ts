import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener, RequestError } from '@hono/node-server'
import { Hono } from 'hono'
import { CoeditError, ERRORS } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { StorageDamage } from '../storage/storage.ts'
import { Answers } from './answers.ts'
import { expectNoBody, hasBody } from './body.ts'
import { failure, failureBody } from './failure.ts'
import type { CheckHost } from './host.ts'
import { createPage } from './page.ts'
import type { Refusals } from './refusals.ts'
import { requestId } from './request-id.ts'
import type { Env, Routes } from './routes.ts'

/**
 * What GET /health answers: 200 with `ok`, 503 with `degraded` and why; what was found damaged, if anything was, and the
 * name of the server, if it has one.
 */
export type Health = ({ readonly status: 'ok' } | { readonly status: 'degraded'; readonly reason: string }) & {
  readonly damage?: StorageDamage
  readonly node?: string
}

/** What GET /ready answers: 200 while this server takes clients, otherwise 503 and why not. */
export type Readiness = ({ readonly status: 'ready' } | { readonly status: 'unready'; readonly reason: string }) & {
  readonly node?: string
}

export interface AppOptions {
  /** Path below which everything is mounted: empty, or `/coedit`. */
  readonly basePath: string
  /** Absolute path of the built page; it may be missing. */
  readonly publicDirectory: string
  readonly checkHost: CheckHost
  /** The option of this name, in milliseconds. */
  readonly stallTimeoutMs: number
  readonly health: () => Health
  readonly readiness: () => Readiness
  readonly log: Log
  readonly refusals: Refusals
  /** Further routes; they win over those of the page. */
  readonly routes?: readonly Routes[]
  /** The only ones that take a body. */
  readonly routesWithBody?: readonly Routes[]
}

/** What answers an HTTP request of node:http. The promise settles when the answer is written. */
export type RequestListener = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/**
 * The page loads nothing from elsewhere, runs no inline code and is framed only by itself. Document names are secrets
 * that sit in the URL, so no referrer leaves.
 */
const HEADERS = {
  'content-security-policy':
    "default-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

const HEADER_ENTRIES = Object.entries(HEADERS)

/** `URL` resolves empty and dot segments, encoded or not: no route gets to see them. */
const NO_NAME = /\/api\/documents\/(?:\.|%2e){0,2}\/\w+(?:\?|$)/i

/** The HTTP side of the server. WebSocket upgrades do not pass through here. */
export function createApp(options: AppOptions): RequestListener {
  const {
    basePath,
    publicDirectory,
    checkHost,
    health,
    readiness,
    log,
    refusals,
    routes = [],
    routesWithBody = [],
  } = options
  const root = new Hono<Env>()
  root.use(async (c, next) => {
    await next()
    // What is left of a body would be taken for the next request.
    if (hasBody(c.env.incoming) && !c.env.incoming.readableEnded) c.header('connection', 'close')
  })
  root.use(async (c, next) => {
    const { incoming, outgoing } = c.env
    // Those of a Response are copied several times, which costs more than most answers do.
    for (const [name, value] of HEADER_ENTRIES) outgoing.setHeader(name, value)
    outgoing.setHeader('x-request-id', requestId(incoming))
    const unknownHost = checkHost(incoming.headers.host)
    if (unknownHost) throw unknownHost
    if (NO_NAME.test(incoming.url ?? '')) {
      throw new CoeditError('DOCUMENT_NAME', 'the document name is no segment')
    }
    await next()
  })
  for (const some of routesWithBody) root.route(basePath, some)
  root.use(async (c, next) => {
    expectNoBody(c.env.incoming)
    await next()
  })
  root.notFound((c) => {
    throw lostUpgrade(c.env.incoming) ?? new CoeditError('NOT_FOUND', 'nothing is served at this address')
  })
  root.onError((err, c) => {
    // Whoever asks is told of an error that has a status; every other one is a failure of the server.
    if (err instanceof CoeditError && ERRORS[err.code].status) {
      refusals.tell(err, c.env.incoming)
      return failure(c, err.code, err.message)
    }
    log.error({ err, request: requestId(c.env.incoming), method: c.req.method, path: c.req.path }, 'request failed')
    return failure(c, 'INTERNAL', 'the server failed to answer; its log says why')
  })

  root.get(`${basePath}/health`, (c) => {
    const now = health()
    return c.json(now, now.status === 'ok' ? 200 : 503, { 'cache-control': 'no-store' })
  })
  root.get(`${basePath}/ready`, (c) => {
    const now = readiness()
    return c.json(now, now.status === 'ready' ? 200 : 503, { 'cache-control': 'no-store' })
  })
  for (const some of routes) root.route(basePath, some)
  root.route('/', createPage(basePath, publicDirectory))

  // Without the override node-server would replace the global Request and Response of whoever embeds the server.
  const answer = getRequestListener(root.fetch, {
    overrideGlobalObjects: false,
    errorHandler: (error) => answerBefore(error, log),
  })
  const answers = new Answers(options.stallTimeoutMs)
  return async (request, response) => {
    if (answers.admit(request, response)) await answer(request, response)
  }
}

/** What a request is answered that does not come as far as the routes: its address or its host is none. */
function answerBefore(err: unknown, log: Log): Response {
  const headers = { ...HEADERS, 'cache-control': 'no-store' }
  if (err instanceof RequestError) {
    const body = failureBody('REQUEST_INVALID', 'the address or the host of the request is none')
    return Response.json(body, { status: 400, headers })
  }
  log.error({ err }, 'request failed')
  return Response.json(failureBody('INTERNAL', 'the server failed to answer; its log says why'), {
    status: 500,
    headers,
  })
}

/** Why a request brings a key for a WebSocket (RFC 6455 §4.1), and yet is no upgrade. */
function lostUpgrade({ headers }: IncomingMessage): CoeditError | undefined {
  if (headers['sec-websocket-key'] === undefined) return undefined
  return new CoeditError(
    'UPGRADE_MISSING',
    'a proxy has dropped the headers Upgrade and Connection: have it pass them on',
  )
}
