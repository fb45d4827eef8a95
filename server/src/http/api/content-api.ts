import type { Contents } from '../../content/contents.ts'
import type { Documents } from '../../document/documents.ts'
import type { WriteKey } from '../../storage/document-store.ts'
import type { Admission } from '../admission.ts'
import { admit, service } from './admitting.ts'
import type { ApiRoutes } from './api-routes.ts'
import { changesIn } from './bodies.ts'
import {
  DOCUMENT,
  DONE,
  etagHeader,
  idempotencyKey,
  ifMatch,
  ifNoneMatch,
  NOT_MODIFIED,
  READING,
  VALUE_TYPES,
  VALUES,
  WRITING,
} from './descriptions.ts'
import { etag, expectedIn, isSame, seenIn } from './entity-tags.ts'
import type { Retries } from './retries.ts'
import { CHANGES, contentQuery, nameParams, patchQuery } from './schemas.ts'

export interface ContentApiContext {
  readonly admission: Admission
  readonly documents: Documents
  readonly contents: Contents
  readonly retries: Retries
}

/** What is in a document, as values. */
export function addContent(api: ApiRoutes, { admission, contents, documents, retries }: ContentApiContext): void {
  api.add(
    {
      method: 'get',
      path: `${DOCUMENT}/content`,
      summary: 'The durable content as text, JSON or XML.',
      params: nameParams,
      query: contentQuery,
      headers: ifNoneMatch,
      responses: {
        200: { description: 'The content.', headers: etagHeader, content: VALUES },
        304: NOT_MODIFIED,
      },
      errors: [...READING, 'EDIT_CONFLICT', 'DOCUMENT_UNREADABLE'],
    },
    async (c, { params: { name }, query: { root, as } }) => {
      await admit(c, name, 'read', admission)
      const known = seenIn(c.req.header('if-none-match'))
      if (known && isSame(known, await documents.place(name))) return c.body(null, 304, etag(known))
      const { body, ...at } = await contents.read(name, { root, as })
      return c.body(body, 200, { ...etag(at), 'content-type': VALUE_TYPES[as] })
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
      const user = await admit(c, name, 'write', admission)
      const seen = expectedIn(c.req.header('if-match'))
      const edit = async (key?: WriteKey) =>
        contents.edit(name, { root, seen, changes: await changesIn(c) }, service(user), key)
      return c.body(null, 204, etag(await retries.once(c, name, user, edit)))
    },
  )
}
