import { z } from '@hono/zod-openapi'
import type { Permit } from '../../auth/grant.ts'
import { CoeditError } from '../../common/errors.ts'
import type { Config } from '../../config/config.ts'
import type { Contents } from '../../content/contents.ts'
import type { Guests } from '../../content/guests.ts'
import type { Documents } from '../../document/documents.ts'
import type { Admission } from '../admission.ts'
import { admit } from './admitting.ts'
import type { ApiRoutes } from './api-routes.ts'
import { jsonBody } from './bodies.ts'
import { ADMISSION, ADMISSION_WITH_BODY, DOCUMENT, NO_STORE } from './descriptions.ts'
import { nameParams, presenceAnswer, presenceParams, shown } from './schemas.ts'

export interface PresenceApiContext {
  readonly config: Config
  readonly admission: Admission
  readonly documents: Documents
  readonly contents: Contents
  readonly guests: Guests
}

/** Who is here, and services that show themselves. */
export function addPresence(api: ApiRoutes, context: PresenceApiContext): void {
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
      await admit(c, name, 'read', admission)
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
      errors: [...ADMISSION_WITH_BODY, 'DOCUMENT_MISSING', 'GONE', 'EDIT_CONFLICT'],
    },
    async (c, { params: { name, id } }) => {
      const user = await admit(c, name, accessToShow(context.config), admission)
      const { name: called, color, cursor, ttl } = await jsonBody(c, shown)
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
      const user = await admit(c, name, accessToShow(context.config), admission)
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
