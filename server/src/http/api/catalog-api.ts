import { z } from '@hono/zod-openapi'
import type { Authority } from '../../auth/authority.ts'
import { missingError } from '../../common/errors.ts'
import type { Contents } from '../../content/contents.ts'
import { cursorId } from '../../document/cursor-id.ts'
import type { Documents } from '../../document/documents.ts'
import type { Catalog } from '../../storage/catalog.ts'
import type { WriteKey } from '../../storage/document-store.ts'
import type { Admission } from '../admission.ts'
import { bearerIn } from '../credentials.ts'
import { admit, admitFor, service } from './admitting.ts'
import type { ApiRoutes } from './api-routes.ts'
import { BINARY, jsonBodyIfAny, newContentIn } from './bodies.ts'
import {
  ADMISSION,
  ADMISSION_WITH_BODY,
  DOCUMENT,
  DONE,
  idempotencyKey,
  isoTime,
  NO_STORE,
  READING,
} from './descriptions.ts'
import { etag } from './entity-tags.ts'
import type { Retries } from './retries.ts'
import { disconnection, factsAnswer, listAnswer, listQuery, nameParams, newQuery, newRoots } from './schemas.ts'

export interface CatalogApiContext {
  readonly authority: Authority
  readonly admission: Admission
  readonly catalog: Catalog
  readonly documents: Documents
  readonly contents: Contents
  readonly retries: Retries
}

/** Documents as a whole: which there are, how they are made, deleted, and left. */
export function addCatalog(api: ApiRoutes, context: CatalogApiContext): void {
  addList(api, context)
  addLives(api, context)
  addDisconnection(api, context)
}

function addList(api: ApiRoutes, { authority, catalog, admission, documents }: CatalogApiContext): void {
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
      await admit(c, name, 'read', admission)
      const at = await documents.place(name)
      const facts = await catalog.stat(name)
      if (!facts) throw missingError(name)
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

/** Where a document that is deleted stands. */
const GONE = { incarnation: 0, position: 0 }

function addLives(api: ApiRoutes, context: CatalogApiContext): void {
  const { contents, documents, retries } = context
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
        ...ADMISSION_WITH_BODY,
        'UPDATE_MALFORMED',
        'DOCUMENT_EXISTS',
        'KEY_REUSED',
        'DOCUMENT_UNREADABLE',
        'STORAGE_CLOSED',
      ],
    },
    async (c, { params: { name }, query: { root } }) => {
      const user = await admitFor(c, name, 'create', context)
      const create = async (key?: WriteKey) =>
        contents.create(name, await newContentIn(c, root), service(user).writer, key)
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
      headers: idempotencyKey,
      responses: { 204: { description: 'That is durable.' } },
      errors: [...READING, 'STORAGE_CLOSED', 'KEY_REUSED'],
    },
    async (c, { params: { name } }) => {
      const user = await admitFor(c, name, 'delete', context)
      await retries.once(c, name, user, async (key) => {
        await documents.inProcess.delete(name, key)
        return GONE
      })
      return c.body(null, 204)
    },
  )
}

function addDisconnection(api: ApiRoutes, { admission, authority, documents }: CatalogApiContext): void {
  api.add(
    {
      method: 'post',
      path: `${DOCUMENT}/disconnect`,
      summary: 'Ends the connections and event streams of everybody, or of one user, at all servers; or one of them.',
      description:
        'They may come back; who is not to has to lose its access first. The token has to allow to revoke: `{ "coedit": { "revoke": true } }`.',
      params: nameParams,
      query: z.object({}),
      body: { required: false, content: { 'application/json': { schema: disconnection } } },
      responses: { 204: { description: 'They are told.' } },
      errors: ADMISSION_WITH_BODY,
    },
    async (c, { params: { name } }) => {
      admission.knock(c.env.incoming, c.env.outgoing, name)
      await authority.authorizeDisconnecting(bearerIn(c.req.header('authorization')))
      const { user, connection } = (await jsonBodyIfAny(c, disconnection)) ?? {}
      if (connection === undefined) {
        authority.disconnect(name, user)
        documents.disconnectElsewhere(name, user)
      } else {
        authority.disconnectOne(name, connection)
      }
      return c.body(null, 204)
    },
  )
}
