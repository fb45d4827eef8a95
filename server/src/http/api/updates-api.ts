import { z } from '@hono/zod-openapi'
import { CoeditError, hasCode } from '../../common/errors.ts'
import type { Contents } from '../../content/contents.ts'
import type { Documents } from '../../document/documents.ts'
import type { WriteKey } from '../../storage/document-store.ts'
import type { Admission } from '../admission.ts'
import { admit, service } from './admitting.ts'
import type { ApiRoutes } from './api-routes.ts'
import { BINARY } from './bodies.ts'
import {
  DOCUMENT,
  DONE,
  etagHeader,
  idempotencyKey,
  ifNoneMatch,
  NOT_MODIFIED,
  READING,
  UPDATE,
  WRITING,
} from './descriptions.ts'
import { etag, isSame, seenIn } from './entity-tags.ts'
import type { Retries } from './retries.ts'
import { nameParams, updateQuery } from './schemas.ts'

export interface UpdatesApiContext {
  readonly admission: Admission
  readonly documents: Documents
  readonly contents: Contents
  readonly retries: Retries
}

/** The same in the encoding of Yjs. */
export function addUpdates(api: ApiRoutes, { admission, contents, documents, retries }: UpdatesApiContext): void {
  api.add(
    {
      method: 'get',
      path: `${DOCUMENT}/update`,
      summary: 'The durable content as a Yjs update (v1).',
      params: nameParams,
      query: updateQuery,
      headers: ifNoneMatch,
      responses: {
        200: { description: 'The update.', headers: etagHeader, content: UPDATE },
        304: NOT_MODIFIED,
      },
      errors: READING,
    },
    async (c, { params: { name }, query: { since } }) => {
      await admit(c, name, 'read', admission)
      const known = seenIn(c.req.header('if-none-match'))
      if (known && isSame(known, await documents.place(name))) return c.body(null, 304, etag(known))
      const stateVector = since === undefined ? undefined : Buffer.from(since, 'base64url')
      const { update, ...at } = await documents.inProcess.readDifference(name, stateVector).catch(malformed)
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
      body: { required: true, content: UPDATE },
      responses: { 204: DONE },
      errors: [...WRITING, 'UPDATE_MALFORMED', 'UPDATE_TOO_DEEP', 'UPDATE_INCOMPLETE'],
    },
    async (c, { params: { name } }) => {
      const user = await admit(c, name, 'write', admission)
      const update = new Uint8Array(await c.req.arrayBuffer())
      const submit = (key?: WriteKey) => contents.submit(name, update, service(user), key)
      return c.body(null, 204, etag(await retries.once(c, name, user, submit)))
    },
  )
}

/** Of what is read, only the state vector can be. */
function malformed(cause: unknown): never {
  if (!hasCode(cause, 'MESSAGE_MALFORMED')) throw cause
  throw new CoeditError('REQUEST_INVALID', 'since: expected a state vector of Yjs in base64url', { cause })
}
