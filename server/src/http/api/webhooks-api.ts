import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Authority } from '../../auth/authority.ts'
import { CoeditError, type ErrorCode } from '../../common/errors.ts'
import type { CursorStore } from '../../storage/cursor-store.ts'
import { webhookCursor } from '../../storage/webhook-cursor.ts'
import type { Deliveries } from '../../webhooks/deliveries.ts'
import type { Sender } from '../../webhooks/sender.ts'
import type { Webhook } from '../../webhooks/webhook.ts'
import { missingError, type WebhookList } from '../../webhooks/webhook-list.ts'
import { bearerIn } from '../credentials.ts'
import type { Env } from '../routes.ts'
import type { ApiRoutes } from './api-routes.ts'
import { jsonBody, jsonBodyIfAny } from './bodies.ts'
import { isoTime, NO_STORE } from './descriptions.ts'
import {
  failuresAnswer,
  failuresQuery,
  madeAnswer,
  newWebhook,
  retrying,
  webhookAnswer,
  webhookParams,
  webhooksAnswer,
  webhooksQuery,
} from './webhook-schemas.ts'

export interface WebhooksApiContext {
  readonly authority: Authority
  readonly webhooks: WebhookList
  readonly deliveries: Deliveries
  readonly sender: Sender
  readonly cursors: CursorStore
}

const WEBHOOKS = '/api/webhooks'
const WEBHOOK = `${WEBHOOKS}/{id}`
const RIGHT = 'The token has to allow it: `{ "coedit": { "webhooks": ["team/*"] } }`.'

const ADMISSION: readonly ErrorCode[] = ['REQUEST_INVALID', 'UNAUTHORIZED', 'FORBIDDEN', 'AUTH_UNAVAILABLE']
const WITHOUT_BODY: readonly ErrorCode[] = [...ADMISSION, 'BODY_UNEXPECTED']
const WITH_BODY: readonly ErrorCode[] = [...ADMISSION, 'BODY_INVALID', 'BODY_TOO_LARGE', 'STORAGE_CLOSED']

/** `/api/webhooks`: who is told of documents by HTTP. */
export function addWebhooks(api: ApiRoutes, context: WebhooksApiContext): void {
  addLives(api, context)
  addFailures(api, context)
}

function addLives(api: ApiRoutes, { authority, webhooks, sender }: WebhooksApiContext): void {
  api.add(
    {
      method: 'post',
      path: WEBHOOKS,
      summary: 'Has a receiver told of documents from now on.',
      description: `Other servers of the same database know of it within 2 s. ${RIGHT}`,
      params: z.object({}),
      query: z.object({}),
      body: { required: true, content: { 'application/json': { schema: newWebhook } } },
      responses: { 201: { description: 'It is durable.', content: { 'application/json': { schema: madeAnswer } } } },
      errors: [...WITH_BODY, 'WEBHOOK_ADDRESS', 'TOO_MANY_WEBHOOKS'],
    },
    async (c) => {
      const mayTell = await authority.authorizeWebhooks(tokenIn(c))
      const wish = await jsonBody(c, newWebhook)
      expectAllowed(wish.prefixes, mayTell)
      sender.check(wish.url)
      const webhook = await webhooks.add(wish)
      return c.json({ ...shown(webhook), secret: webhook.secret }, 201, NO_STORE)
    },
  )
  api.add(
    {
      method: 'get',
      path: WEBHOOKS,
      summary: 'Lists webhooks.',
      description: RIGHT,
      params: z.object({}),
      query: webhooksQuery,
      responses: { 200: { description: 'All.', content: { 'application/json': { schema: webhooksAnswer } } } },
      errors: WITHOUT_BODY,
    },
    async (c, { query: { prefix } }) => {
      expectAllowed([prefix], await authority.authorizeWebhooks(tokenIn(c)))
      const found = webhooks.all.filter(({ prefixes }) => prefixes.every((one) => one.startsWith(prefix)))
      return c.json({ webhooks: found.map(shown) }, 200, NO_STORE)
    },
  )
  api.add(
    {
      method: 'get',
      path: WEBHOOK,
      summary: 'One webhook.',
      params: webhookParams,
      query: z.object({}),
      responses: { 200: { description: 'It.', content: { 'application/json': { schema: webhookAnswer } } } },
      errors: [...WITHOUT_BODY, 'WEBHOOK_MISSING'],
    },
    async (c, { params: { id } }) => c.json(shown(await allowed(c, id, { authority, webhooks })), 200, NO_STORE),
  )
  api.add(
    {
      method: 'delete',
      path: WEBHOOK,
      summary: 'Tells a receiver nothing any more, nor what it was still to be told.',
      params: webhookParams,
      query: z.object({}),
      responses: { 204: { description: 'That is durable.' } },
      errors: [...WITHOUT_BODY, 'WEBHOOK_MISSING', 'WEBHOOK_CONFIGURED', 'STORAGE_CLOSED'],
    },
    async (c, { params: { id } }) => {
      await allowed(c, id, { authority, webhooks })
      await webhooks.remove(id)
      return c.body(null, 204)
    },
  )
}

function addFailures(api: ApiRoutes, { authority, webhooks, deliveries, cursors }: WebhooksApiContext): void {
  api.add(
    {
      method: 'get',
      path: `${WEBHOOK}/failures`,
      summary: 'Documents of which a receiver could not be told, by their names, in byte order.',
      params: webhookParams,
      query: failuresQuery,
      responses: {
        200: { description: 'A page of them.', content: { 'application/json': { schema: failuresAnswer } } },
      },
      errors: [...WITHOUT_BODY, 'WEBHOOK_MISSING', 'STORAGE_CLOSED'],
    },
    async (c, { params: { id }, query: { after, limit } }) => {
      await allowed(c, id, { authority, webhooks })
      const found = await cursors.listPostponed(webhookCursor(id), after, limit + 1)
      const listed = found.slice(0, limit)
      const next = found.length > limit ? listed.at(-1)?.document : undefined
      const failures = listed.map(({ document, count: attempts, since, retryAt, reason }) => ({
        document,
        attempts,
        since: isoTime(since),
        retryAt: retryAt === null ? null : isoTime(retryAt),
        reason,
      }))
      return c.json({ failures, ...(next !== undefined && { next }) }, 200, NO_STORE)
    },
  )
  api.add(
    {
      method: 'post',
      path: `${WEBHOOK}/retry`,
      summary: 'Tells a receiver now what it could not be told, and forgets how often it has failed.',
      params: webhookParams,
      query: z.object({}),
      body: { required: false, content: { 'application/json': { schema: retrying } } },
      responses: { 204: { description: 'It is tried at once.' } },
      errors: [...WITH_BODY, 'WEBHOOK_MISSING'],
    },
    async (c, { params: { id } }) => {
      await allowed(c, id, { authority, webhooks })
      const { document } = (await jsonBodyIfAny(c, retrying)) ?? {}
      await deliveries.retry(id, document)
      return c.body(null, 204)
    },
  )
}

/** Resolves with a webhook that this token may administrate. Rejects with WEBHOOK_MISSING, and as `Authority.authorizeWebhooks` does. */
async function allowed(
  c: Context<Env>,
  id: string,
  { authority, webhooks }: Pick<WebhooksApiContext, 'authority' | 'webhooks'>,
): Promise<Webhook> {
  const mayTell = await authority.authorizeWebhooks(tokenIn(c))
  const webhook = webhooks.get(id)
  if (!webhook) throw missingError(id)
  expectAllowed(webhook.prefixes, mayTell)
  return webhook
}

/** @throws CoeditError FORBIDDEN */
function expectAllowed(prefixes: readonly string[], mayTell: (prefix: string) => boolean): void {
  const denied = prefixes.find((prefix) => !mayTell(prefix))
  if (denied === undefined) return
  throw new CoeditError('FORBIDDEN', `the token does not allow webhooks of all documents that begin with '${denied}'`)
}

function shown({ id, url, prefixes, events, roots, quietMs, maxWaitMs, createdAt, isConfigured }: Webhook) {
  return { id, url, prefixes, events, roots, quietMs, maxWaitMs, createdAt: isoTime(createdAt), isConfigured }
}

function tokenIn(c: Context<Env>): string | undefined {
  return bearerIn(c.req.header('authorization'))
}
