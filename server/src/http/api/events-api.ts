import { z } from '@hono/zod-openapi'
import type { EventStreams, Followed } from '../event-streams.ts'
import type { ApiRoutes } from './api-routes.ts'
import { ADMISSION, DOCUMENT } from './descriptions.ts'
import { allEventsQuery, eventsQuery, nameParams, streamHeaders } from './schemas.ts'

/** The answer is written already; of its own for each request, since headers are added to it. */
const answered = (): Response => new Response(null, { headers: { 'x-hono-already-sent': 'true' } })

const lastEventId = z.object({
  'Last-Event-ID': z
    .string()
    .optional()
    .openapi({ description: 'The `id` of an event: the stream goes on behind it. `EventSource` sends it by itself.' }),
})

const STREAM = {
  description: 'Events, until the client hangs up or the access ends.',
  content: { 'text/event-stream': { schema: z.string() } },
}

/** What happens to documents, as it happens. */
export function addEvents(api: ApiRoutes, streams: EventStreams): void {
  api.add(
    {
      method: 'get',
      path: '/api/events',
      summary: 'Which documents change, of all whose names begin alike, as server-sent events, and what is in them.',
      description:
        'The token has to allow to list them. `data` of an event without a name is `{"document":"…","cursor":"…"}`. An event `reset` says that others may have changed meanwhile: at the beginning, and behind an id that this server does not know any more. With `as`, which needs the right to read them all, `data` has the `value` of the root as well: behind a `reset` that of each document that there is, and then of each that changes, the latest one alone for who is slow; an event `refused` has the `code` of a document of which it cannot be told.',
      params: z.object({}),
      query: allEventsQuery,
      headers: lastEventId,
      responses: { 200: STREAM },
      errors: ADMISSION,
    },
    async (c, { query: { prefix, as, root } }) => {
      const { incoming } = c.env
      if (incoming.method === 'HEAD') return c.body(null, 200, { 'content-type': 'text/event-stream' })
      const followed = { prefix, root: as && { root, as }, lastEventId: c.req.header('last-event-id') ?? '' }
      await streams.followAll(c.env, followed, () => c.body(null).headers)
      return answered()
    },
  )
  api.add(
    {
      method: 'get',
      path: `${DOCUMENT}/events`,
      summary: 'What happens to a document, as server-sent events.',
      description:
        'Each is durable, and `id` is the cursor behind it. Without `as`, `data` is a Yjs update (v1) in base64. With it, an event `reset` has the value as JSON, and `data` of those without a name is an array of changes to it: `{ index, delete?, insert? }` of a text, each in what those before it have made of it, or the operations of a JSON Patch (RFC 6902). With `messages` it is a message in base64 (PROTOCOL.md, from R57 on). An event `presence` has all who are `present`, or who has `joined`, `changed` or `left`.',
      params: nameParams,
      query: eventsQuery,
      headers: lastEventId.extend(streamHeaders.shape),
      responses: { 200: STREAM },
      // A document that is not there can be followed.
      errors: [...ADMISSION, 'GONE', 'EDIT_CONFLICT', 'DOCUMENT_UNREADABLE'],
    },
    async (c, { params: { name }, query: { as, root, presence, client, poll } }) => {
      const lastEventId = c.req.header('last-event-id') ?? ''
      const followed: Followed =
        as === 'messages'
          ? { as, clientId: client, isPoll: poll !== undefined, key: c.req.header('coedit-client'), lastEventId }
          : { as: 'events', root: as && { root, as }, hasPresence: presence !== undefined, lastEventId }
      // Nobody reads the body of an answer to HEAD.
      if (c.env.incoming.method === 'HEAD') {
        await streams.admit(c.env, name)
        return c.body(null, 200, { 'content-type': 'text/event-stream' })
      }
      await streams.follow(c.env, name, followed, () => c.body(null).headers)
      return answered()
    },
  )
}
