import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Authority } from '../../auth/authority.ts'
import type { Permit } from '../../auth/grant.ts'
import type { Deed } from '../../auth/rights.ts'
import { CoeditError, type ErrorCode } from '../../common/errors.ts'
import type { Config } from '../../config/config.ts'
import type { Contents } from '../../content/contents.ts'
import type { Guests } from '../../content/guests.ts'
import { cursorId } from '../../document/cursor-id.ts'
import type { Documents } from '../../document/documents.ts'
import type { Catalog, WriteKey, WriteKeyStore } from '../../storage/storage.ts'
import type { Admission } from '../admission.ts'
import { bearerIn } from '../credentials.ts'
import type { EventStreams } from '../event-streams.ts'
import { guardOrigin } from '../origin-guard.ts'
import type { Env, Routes } from '../routes.ts'
import { ApiRoutes } from './api-routes.ts'
import { BINARY, changesIn, jsonIn, newContentIn, valid } from './bodies.ts'
import { etag, expectedIn, isSame, seenIn } from './entity-tags.ts'
import { addEvents } from './events-api.ts'
import { Retries } from './retries.ts'
import {
  CHANGES,
  contentQuery,
  disconnection,
  factsAnswer,
  listAnswer,
  listQuery,
  nameParams,
  newQuery,
  newRoots,
  patchQuery,
  presenceAnswer,
  presenceParams,
  shown,
  updateQuery,
} from './schemas.ts'
import { addWebhooks, type WebhooksApiContext } from './webhooks-api.ts'

export interface DocumentsApiContext {
  readonly config: Config
  readonly authority: Authority
  readonly admission: Admission
  readonly catalog: Catalog & WriteKeyStore
  readonly documents: Documents
  readonly contents: Contents
  readonly streams: EventStreams
  readonly guests: Guests
  readonly webhooks: Omit<WebhooksApiContext, 'authority'>
}

const DOCUMENT = '/api/documents/{name}'
const TYPES = {
  json: 'application/json; charset=utf-8',
  text: 'text/plain; charset=utf-8',
  xml: 'application/xml; charset=utf-8',
}

/** Whoever asks for a document may be told this. */
const ADMISSION: readonly ErrorCode[] = [
  'DOCUMENT_NAME',
  'REQUEST_INVALID',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'BODY_UNEXPECTED',
  'TOO_MANY_CONNECTIONS',
  'AUTH_UNAVAILABLE',
  'SERVER_CLOSED',
]
const READING: readonly ErrorCode[] = [...ADMISSION, 'DOCUMENT_MISSING', 'GONE']
/** A document that is not there can be followed. */
const READING_EVENTS: readonly ErrorCode[] = [...ADMISSION, 'GONE', 'EDIT_CONFLICT', 'DOCUMENT_UNREADABLE']
const WRITING: readonly ErrorCode[] = [
  ...ADMISSION.filter((code) => code !== 'BODY_UNEXPECTED'),
  'BODY_INVALID',
  'BODY_TOO_LARGE',
  'DOCUMENT_FULL',
  'GONE',
  'STORAGE_CLOSED',
  'KEY_REUSED',
]

const etagHeader = z.object({ ETag: z.string().openapi({ description: 'Where the document stands, in quotes.' }) })
const ifNoneMatch = z.object({
  'If-None-Match': z.string().optional().openapi({ description: 'The `ETag` that one has.' }),
})
const ifMatch = z.object({
  'If-Match': z.string().optional().openapi({
    description:
      'The `ETag` of what the change was made for. Positions in a text are carried over what has happened since; other changes are refused if anything has.',
  }),
})
const idempotencyKey = z.object({
  'Idempotency-Key': z.string().optional().openapi({
    description:
      'Makes a retry safe: what was done with this key, of 1 to 255 characters, is not done again, but answered as it was. Kept for 24 hours, of a document the last 1,000; for each user on their own.',
  }),
})
const NOT_MODIFIED = { description: 'Nothing has changed since.', headers: etagHeader }
const DONE = { description: 'It is durable.', headers: etagHeader }

/**
 * `/api/documents`: documents for services that have no Yjs. What they write is an edit like any other: durable before it
 * is answered, and shown to everybody.
 */
export function createDocumentsApi(context: DocumentsApiContext): Routes {
  const { config } = context
  const api = new ApiRoutes(config.maxBodyBytes)
  const retries = new Retries(context.catalog)
  api.routes.use('/api/*', guardOrigin(config))
  addCatalog(api, context)
  addLives(api, context, retries)
  addDisconnection(api, context)
  addContent(api, context, retries)
  addUpdates(api, context, retries)
  addPresence(api, context)
  addEvents(api, context.streams, { ofOne: READING_EVENTS, ofAll: ADMISSION })
  addWebhooks(api, { ...context.webhooks, authority: context.authority })
  api.routes.doc31('/api/openapi.json', { openapi: '3.1.0', info: { title: 'coedit', version: '1' } })
  return api.routes
}

function addCatalog(api: ApiRoutes, { authority, catalog, admission, documents }: DocumentsApiContext): void {
  const access = { admission }
  const none = z.object({})
  api.add(
    {
      method: 'get',
      path: '/api/documents',
      summary: 'Lists documents by their names, in byte order.',
      description: 'The token has to allow it: `{ "coedit": { "list": ["team/*"] } }`.',
      params: none,
      query: listQuery,
      responses: { 200: { description: 'A page of names.', content: { 'application/json': { schema: listAnswer } } } },
      errors: ADMISSION,
    },
    async (c, { query: { prefix, after, limit } }) => {
      await authority.authorizeListing(bearerIn(c.req.header('authorization')), prefix)
      const names = await catalog.list(prefix, after, limit + 1)
      const listed = names.slice(0, limit)
      const next = names.length > limit ? listed.at(-1) : undefined
      return c.json({ documents: listed, ...(next !== undefined && { next }) }, 200, NO_STORE)
    },
  )
  api.add(
    {
      method: 'get',
      path: DOCUMENT,
      summary: 'Facts of a document.',
      params: nameParams,
      query: none,
      responses: { 200: { description: 'The facts.', content: { 'application/json': { schema: factsAnswer } } } },
      errors: READING,
    },
    async (c, { params: { name } }) => {
      await admit(c, name, 'read', access)
      const at = await documents.place(name)
      const facts = await catalog.stat(name)
      if (!facts) throw new CoeditError('DOCUMENT_MISSING', `there is no document '${name}'`)
      const { createdAt, updatedAt, snapshotBytes, tailBytes, tailEntries } = facts
      return c.json(
        {
          name,
          cursor: cursorId(at),
          createdAt: isoTime(createdAt),
          updatedAt: isoTime(updatedAt),
          snapshotBytes,
          tailBytes,
          tailEntries,
        },
        200,
        NO_STORE,
      )
    },
  )
}

function addLives(api: ApiRoutes, context: DocumentsApiContext, retries: Retries): void {
  const { contents, documents } = context
  api.add(
    {
      method: 'put',
      path: DOCUMENT,
      summary: 'Makes a document, also one that was deleted.',
      description:
        'Without a body it is empty. Who still has a deleted one does not bring it into the new one, but is told that it is gone. The token has to allow it: `{ "coedit": { "create": ["team/*"] } }`.',
      params: nameParams,
      query: newQuery,
      headers: idempotencyKey,
      body: {
        required: false,
        content: {
          'application/json': { schema: newRoots },
          'text/plain': { schema: z.string() },
          [BINARY]: { schema: z.string().openapi({ format: 'binary', description: 'A whole Yjs update (v1).' }) },
        },
      },
      responses: { 201: DONE },
      errors: [
        ...ADMISSION.filter((code) => code !== 'BODY_UNEXPECTED'),
        'BODY_INVALID',
        'BODY_TOO_LARGE',
        'UPDATE_MALFORMED',
        'DOCUMENT_EXISTS',
        'KEY_REUSED',
        'DOCUMENT_UNREADABLE',
        'STORAGE_CLOSED',
      ],
    },
    async (c, { params: { name }, query: { root } }) => {
      const user = await admitFor(c, name, 'create', context)
      const create = async (key?: WriteKey) => contents.create(name, await newContentIn(c, root), key)
      return c.body(null, 201, etag(await retries.once(c, name, user, create)))
    },
  )
  api.add(
    {
      method: 'delete',
      path: DOCUMENT,
      summary: 'Deletes a document for good.',
      description:
        'All that is stored of it is removed but its name, and the random numbers of the clients that wrote it. Connections to it end with 4404, event streams with the event `gone`. No client brings it back, but `PUT` does. The token has to allow it: `{ "coedit": { "delete": ["team/*"] } }`.',
      params: nameParams,
      query: z.object({}),
      responses: { 204: { description: 'That is durable.' } },
      errors: [...READING, 'STORAGE_CLOSED'],
    },
    async (c, { params: { name } }) => {
      await admitFor(c, name, 'delete', context)
      await documents.inProcess.delete(name)
      return c.body(null, 204)
    },
  )
}

function addDisconnection(api: ApiRoutes, { admission, authority, documents }: DocumentsApiContext): void {
  api.add(
    {
      method: 'post',
      path: `${DOCUMENT}/disconnect`,
      summary: 'Ends the connections and event streams of everybody, or of one user, at all servers.',
      description:
        'They may come back; who is not to has to lose its access first. The token has to allow to revoke: `{ "coedit": { "revoke": true } }`.',
      params: nameParams,
      query: z.object({}),
      body: { required: false, content: { 'application/json': { schema: disconnection } } },
      responses: { 204: { description: 'They are told.' } },
      errors: [...ADMISSION.filter((code) => code !== 'BODY_UNEXPECTED'), 'BODY_INVALID', 'BODY_TOO_LARGE'],
    },
    async (c, { params: { name } }) => {
      admission.knock(c.env.incoming, c.env.outgoing, name)
      await authority.authorizeDisconnecting(bearerIn(c.req.header('authorization')))
      const body = new Uint8Array(await c.req.arrayBuffer())
      const { user } = body.length > 0 ? valid(disconnection, jsonIn(body)) : {}
      authority.disconnect(name, user)
      documents.disconnectElsewhere(name, user)
      return c.body(null, 204)
    },
  )
}

function addContent(api: ApiRoutes, { admission, contents, documents }: DocumentsApiContext, retries: Retries): void {
  const access = { admission }
  api.add(
    {
      method: 'get',
      path: `${DOCUMENT}/content`,
      summary: 'The durable content as text, JSON or XML.',
      params: nameParams,
      query: contentQuery,
      headers: ifNoneMatch,
      responses: {
        200: {
          description: 'The content.',
          headers: etagHeader,
          content: {
            'application/json': { schema: z.unknown() },
            'text/plain': { schema: z.string() },
            'application/xml': { schema: z.string() },
          },
        },
        304: NOT_MODIFIED,
      },
      errors: [...READING, 'EDIT_CONFLICT', 'DOCUMENT_UNREADABLE'],
    },
    async (c, { params: { name }, query: { root, as } }) => {
      await admit(c, name, 'read', access)
      const known = seenIn(c.req.header('if-none-match'))
      if (known && isSame(known, await documents.place(name))) return c.body(null, 304, etag(known))
      const { body, ...at } = await contents.read(name, { root, as })
      return c.body(body, 200, { ...etag(at), 'content-type': TYPES[as] })
    },
  )
  api.add(
    {
      method: 'patch',
      path: `${DOCUMENT}/content`,
      summary: 'Changes the content: all of it in one transaction, or nothing.',
      description:
        'A JSON Patch (RFC 6902; `test` makes a compare-and-set of it), a JSON Merge Patch (RFC 7396), or edits of a text. A document that is not there is made. Objects and arrays that are put in become shared types.',
      params: nameParams,
      query: patchQuery,
      headers: ifMatch.extend(idempotencyKey.shape),
      body: {
        required: true,
        content: Object.fromEntries(Object.entries(CHANGES).map(([type, schema]) => [type, { schema }])),
      },
      responses: { 204: DONE },
      errors: [...WRITING, 'EDIT_CONFLICT', 'EDIT_OUTDATED', 'DOCUMENT_UNREADABLE'],
    },
    async (c, { params: { name }, query: { root } }) => {
      const user = await admit(c, name, 'write', access)
      const seen = expectedIn(c.req.header('if-match'))
      const edit = async (key?: WriteKey) =>
        contents.edit(name, { root, seen, changes: await changesIn(c) }, SERVICE, key)
      return c.body(null, 204, etag(await retries.once(c, name, user, edit)))
    },
  )
}

function addUpdates(api: ApiRoutes, { admission, contents, documents }: DocumentsApiContext, retries: Retries): void {
  const access = { admission }
  const schema = z.string().openapi({ format: 'binary' })
  api.add(
    {
      method: 'get',
      path: `${DOCUMENT}/update`,
      summary: 'The durable content as a Yjs update (v1).',
      params: nameParams,
      query: updateQuery,
      headers: ifNoneMatch,
      responses: {
        200: { description: 'The update.', headers: etagHeader, content: { [BINARY]: { schema } } },
        304: NOT_MODIFIED,
      },
      errors: READING,
    },
    async (c, { params: { name }, query: { since } }) => {
      await admit(c, name, 'read', access)
      const known = seenIn(c.req.header('if-none-match'))
      if (known && isSame(known, await documents.place(name))) return c.body(null, 304, etag(known))
      const stateVector = since === undefined ? undefined : Buffer.from(since, 'base64url')
      const { update, ...at } = await documents.inProcess.readDifference(name, stateVector)
      return c.body(update, 200, { ...etag(at), 'content-type': BINARY })
    },
  )
  api.add(
    {
      method: 'post',
      path: `${DOCUMENT}/updates`,
      summary: 'Takes a Yjs update (v1). A document that is not there is made.',
      params: nameParams,
      query: z.object({}),
      headers: idempotencyKey,
      body: { required: true, content: { [BINARY]: { schema } } },
      responses: { 204: DONE },
      errors: [...WRITING, 'UPDATE_MALFORMED', 'UPDATE_TOO_DEEP', 'UPDATE_INCOMPLETE'],
    },
    async (c, { params: { name } }) => {
      const user = await admit(c, name, 'write', access)
      const update = new Uint8Array(await c.req.arrayBuffer())
      const submit = (key?: WriteKey) => contents.submit(name, update, SERVICE, key)
      return c.body(null, 204, etag(await retries.once(c, name, user, submit)))
    },
  )
}

function addPresence(api: ApiRoutes, context: DocumentsApiContext): void {
  const { admission, documents, contents, guests } = context
  api.add(
    {
      method: 'get',
      path: `${DOCUMENT}/presence`,
      summary: 'Who is here, as they show themselves.',
      params: nameParams,
      query: z.object({}),
      responses: {
        200: { description: 'All who show something.', content: { 'application/json': { schema: presenceAnswer } } },
      },
      errors: ADMISSION,
    },
    async (c, { params: { name } }) => {
      await admit(c, name, 'read', { admission })
      const entries = documents.present(name)
      const present = entries.map(({ clientId, state }) => ({
        clientId,
        state: JSON.parse(Buffer.from(state).toString()),
      }))
      return c.json({ present }, 200, NO_STORE)
    },
  )
  api.add(
    {
      method: 'put',
      path: `${DOCUMENT}/presence/{id}`,
      summary: 'Shows a service among the editors until its time is over, or longer where it is shown again.',
      params: presenceParams,
      query: z.object({}),
      body: { required: true, content: { 'application/json': { schema: shown } } },
      responses: { 204: { description: 'It is shown.' } },
      errors: [
        ...READING.filter((code) => code !== 'BODY_UNEXPECTED'),
        'BODY_INVALID',
        'BODY_TOO_LARGE',
        'EDIT_CONFLICT',
      ],
    },
    async (c, { params: { name, id } }) => {
      const user = await admit(c, name, accessToShow(context.config), { admission })
      const { name: called, color, cursor, ttl } = valid(shown, jsonIn(new Uint8Array(await c.req.arrayBuffer())))
      const state = { user: { name: called, ...(color && { color }) }, cursor: await located(contents, name, cursor) }
      await guests.show({ document: name, id, user }, state, ttl * 1000)
      return c.body(null, 204)
    },
  )
  api.add(
    {
      method: 'delete',
      path: `${DOCUMENT}/presence/{id}`,
      summary: 'Shows a service no longer; where several servers share the document, at the one that showed it last.',
      params: presenceParams,
      query: z.object({}),
      responses: { 204: { description: 'It is not shown.' } },
      errors: ADMISSION,
    },
    async (c, { params: { name, id } }) => {
      const user = await admit(c, name, accessToShow(context.config), { admission })
      guests.end({ document: name, id, user })
      return c.body(null, 204)
    },
  )
}

/** @throws CoeditError FORBIDDEN where nobody is shown */
function accessToShow({ presenceFrom }: Config): Permit['access'] {
  if (presenceFrom === 'nobody') throw new CoeditError('FORBIDDEN', 'presenceFrom lets nobody show itself')
  return presenceFrom === 'writers' ? 'write' : 'read'
}

/** A cursor as editors tell theirs: by relative positions of Yjs. */
async function located(
  contents: Contents,
  name: string,
  cursor: z.output<typeof shown>['cursor'],
): Promise<object | null> {
  if (!cursor) return null
  const { root, anchor, head = anchor } = cursor
  const [from, to]: unknown[] = JSON.parse(await contents.locate(name, { root, indexes: [anchor, head] }))
  return { anchor: from, head: to }
}

/** Services write within the limits of a document. */
const SERVICE = { isLimited: true }
const NO_STORE = { 'cache-control': 'no-store' }

/** Resolves with who it is, where that is known. Rejects as `Admission` does, and with FORBIDDEN where the access does not suffice. */
async function admit(
  c: Context<Env>,
  name: string,
  access: Permit['access'],
  { admission }: { admission: Admission },
): Promise<string | undefined> {
  const { incoming, outgoing } = c.env
  const lease = await admission.admit(admission.knock(incoming, outgoing, name), () => undefined)
  if (access === 'write' && lease?.permit.access !== 'write') {
    throw new CoeditError('FORBIDDEN', 'the token allows to read alone')
  }
  return lease?.permit.user
}

/** Resolves and rejects as `Admission.knock` and `Authority.authorizeDeed` do. */
async function admitFor(
  c: Context<Env>,
  name: string,
  deed: Deed,
  { admission, authority }: DocumentsApiContext,
): Promise<string | undefined> {
  admission.knock(c.env.incoming, c.env.outgoing, name)
  return authority.authorizeDeed(bearerIn(c.req.header('authorization')), deed, name)
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
