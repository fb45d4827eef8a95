import { z } from '@hono/zod-openapi'
import type { Past, Revert } from '../../content/past.ts'
import type { Moment } from '../../document/history.ts'
import type { Group } from '../../document/timeline.ts'
import type { Writer } from '../../protocol/update/update.ts'
import type { WriteKey } from '../../storage/document-store.ts'
import type { Admission } from '../admission.ts'
import { admit, service } from './admitting.ts'
import type { ApiRoutes } from './api-routes.ts'
import { BINARY, jsonBody, jsonBodyIfAny } from './bodies.ts'
import {
  DOCUMENT,
  DONE,
  idempotencyKey,
  isoTime,
  NO_STORE,
  READING,
  UPDATE,
  VALUE_TYPES,
  VALUES,
  WRITING,
} from './descriptions.ts'
import { etag } from './entity-tags.ts'
import {
  changesAnswer,
  changesQuery,
  momentQuery,
  namedAnswer,
  naming,
  pastContentQuery,
  restoration,
  timelineAnswer,
  timelineQuery,
  versionParams,
  versionsAnswer,
} from './history-schemas.ts'
import type { Retries } from './retries.ts'
import { nameParams } from './schemas.ts'

export interface HistoryApiContext {
  readonly admission: Admission
  readonly past: Past
  readonly retries: Retries
}

const HISTORY = `${DOCUMENT}/history`
const RIGHT = 'What was deleted shows in it, so that it takes the right to write.'

const versionHeader = z.object({ 'Content-Version': z.string().openapi({ description: 'The number of the version.' }) })

/** What documents were, who has written what, and how they become that again. */
export function addHistory(api: ApiRoutes, context: HistoryApiContext): void {
  addTimeline(api, context)
  addVersions(api, context)
  addRestoring(api, context)
  addNames(api, context)
}

function addTimeline(api: ApiRoutes, { admission, past }: HistoryApiContext): void {
  api.add(
    {
      method: 'get',
      path: HISTORY,
      summary: 'Who has written when, from the latest on.',
      description: `A group is what somebody has written without a longer pause. A version is told by the number of its last entry. ${RIGHT}`,
      params: nameParams,
      query: timelineQuery,
      responses: {
        200: { description: 'A page of groups.', content: { 'application/json': { schema: timelineAnswer } } },
      },
      errors: READING,
    },
    async (c, { params: { name }, query: { before, limit, pause } }) => {
      await admit(c, name, 'write', admission)
      const { groups, next } = await past.timeline(name, { before, limit, pauseMs: pause * 1000 })
      return c.json({ groups: groups.map(shownGroup), ...(next !== undefined && { next }) }, 200, NO_STORE)
    },
  )
  api.add(
    {
      method: 'get',
      path: `${HISTORY}/changes`,
      summary: 'How a root has changed from one moment to a later one.',
      description: `As \`text\`: \`{ index, delete?, insert? }\`, each in what those before it have made of the text. As \`json\`: the operations of a JSON Patch (RFC 6902). ${RIGHT}`,
      params: nameParams,
      query: changesQuery,
      responses: {
        200: { description: 'The changes.', content: { 'application/json': { schema: changesAnswer } } },
      },
      errors: [...READING, 'HISTORY_MISSING', 'EDIT_CONFLICT', 'DOCUMENT_UNREADABLE'],
    },
    async (c, { params: { name }, query: { from, to, root, as } }) => {
      await admit(c, name, 'write', admission)
      const { changes, ...between } = await past.changes(name, momentOf(from), momentOf(to), { root, as })
      return c.json({ ...between, changes: JSON.parse(changes) }, 200, NO_STORE)
    },
  )
}

function addVersions(api: ApiRoutes, { admission, past }: HistoryApiContext): void {
  const missing = [...READING, 'HISTORY_MISSING'] as const
  api.add(
    {
      method: 'get',
      path: `${HISTORY}/content`,
      summary: 'What the content was, as text, JSON or XML.',
      description: RIGHT,
      params: nameParams,
      query: pastContentQuery,
      responses: {
        200: {
          description: 'The content.',
          headers: versionHeader,
          content: VALUES,
        },
      },
      errors: [...missing, 'EDIT_CONFLICT', 'DOCUMENT_UNREADABLE'],
    },
    async (c, { params: { name }, query: { at, root, as } }) => {
      await admit(c, name, 'write', admission)
      const { version, body } = await past.read(name, momentOf(at), { root, as })
      return c.body(body, 200, { ...ofVersion(version), 'content-type': VALUE_TYPES[as] })
    },
  )
  api.add(
    {
      method: 'get',
      path: `${HISTORY}/update`,
      summary: 'What the document was, as a Yjs update (v1).',
      description: RIGHT,
      params: nameParams,
      query: momentQuery,
      responses: {
        200: {
          description: 'The update.',
          headers: versionHeader,
          content: UPDATE,
        },
      },
      errors: missing,
    },
    async (c, { params: { name }, query: { at } }) => {
      await admit(c, name, 'write', admission)
      const { version, update } = await past.open(name, momentOf(at))
      return c.body(new Uint8Array(update), 200, { ...ofVersion(version), 'content-type': BINARY })
    },
  )
}

function addRestoring(api: ApiRoutes, { admission, past, retries }: HistoryApiContext): void {
  api.add(
    {
      method: 'post',
      path: `${HISTORY}/restore`,
      summary: 'Makes of a document what it was, or takes back what somebody has written.',
      description:
        'It is a new edit of who asks: what was inserted since is deleted, and what was deleted is inserted where it was. What others write at the same time stays, and restoring the version before takes it back. To take back the same of somebody twice inserts twice what they had deleted.',
      params: nameParams,
      query: z.object({}),
      headers: idempotencyKey,
      body: { required: true, content: { 'application/json': { schema: restoration } } },
      responses: { 204: DONE },
      errors: [...WRITING, 'DOCUMENT_MISSING', 'HISTORY_MISSING', 'DOCUMENT_UNREADABLE'],
    },
    async (c, { params: { name } }) => {
      const user = await admit(c, name, 'write', admission)
      const restore = async (key?: WriteKey) =>
        past.revert(name, revertOf(await jsonBody(c, restoration)), service(user), key)
      return c.body(null, 204, etag(await retries.once(c, name, user, restore)))
    },
  )
}

function addNames(api: ApiRoutes, { admission, past }: HistoryApiContext): void {
  const path = `${DOCUMENT}/versions`
  api.add(
    {
      method: 'get',
      path,
      summary: 'The versions that have a name, by that.',
      description: RIGHT,
      params: nameParams,
      query: z.object({}),
      responses: { 200: { description: 'All.', content: { 'application/json': { schema: versionsAnswer } } } },
      errors: READING,
    },
    async (c, { params: { name } }) => {
      await admit(c, name, 'write', admission)
      const versions = (await past.named(name)).map(({ namedAt, by, ...version }) => {
        return { ...version, namedAt: isoTime(namedAt), by: shownWriter(by) }
      })
      return c.json({ versions }, 200, NO_STORE)
    },
  )
  api.add(
    {
      method: 'put',
      path: `${path}/{version}`,
      summary: 'Gives a version a name, under which it stays when the history before it goes away.',
      description: 'A document may have 1,000 of them.',
      params: versionParams,
      query: z.object({}),
      body: { required: false, content: { 'application/json': { schema: naming } } },
      responses: {
        201: { description: 'That is durable.', content: { 'application/json': { schema: namedAnswer } } },
      },
      errors: [...WRITING, 'DOCUMENT_MISSING', 'HISTORY_MISSING', 'VERSION_EXISTS', 'VERSIONS_FULL'],
    },
    async (c, { params: { name, version } }) => {
      const { writer = null } = service(await admit(c, name, 'write', admission))
      const { at } = (await jsonBodyIfAny(c, naming)) ?? {}
      const number = await past.name(name, version, at === undefined ? undefined : momentOf(at), writer)
      return c.json({ version: number }, 201, NO_STORE)
    },
  )
  api.add(
    {
      method: 'delete',
      path: `${path}/{version}`,
      summary: 'Takes the name of a version away.',
      params: versionParams,
      query: z.object({}),
      responses: { 204: { description: 'That is durable.' } },
      errors: [...READING, 'HISTORY_MISSING'],
    },
    async (c, { params: { name, version } }) => {
      await admit(c, name, 'write', admission)
      await past.unname(name, version)
      return c.body(null, 204)
    },
  )
}

function revertOf(body: z.output<typeof restoration>): Revert {
  if ('to' in body) return { since: momentOf(body.to) }
  const { name, claimed } = body.author
  return { since: momentOf(body.since), writer: { name, isClaimed: claimed } }
}

/** @param moment as a query has it, or a body */
function momentOf(moment: string | number | { readonly named: string }): Moment {
  if (typeof moment === 'object') return moment
  if (typeof moment === 'string' && moment.startsWith(NAMED)) return { named: moment.slice(NAMED.length) }
  const version = Number(moment)
  return Number.isNaN(version) ? { time: Date.parse(String(moment)) } : { version }
}

function shownWriter(writer: Writer | null) {
  return writer && { name: writer.name, claimed: writer.isClaimed }
}

function shownGroup({ writer, first, last, since, until, entries }: Group) {
  return { author: shownWriter(writer), first, last, since: isoTime(since), until: isoTime(until), entries }
}

function ofVersion(version: number) {
  return { 'content-version': String(version), ...NO_STORE }
}

/** What the name of a version follows in a query. */
const NAMED = 'named:'
