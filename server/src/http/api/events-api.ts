import { z } from '@hono/zod-openapi'
import type { ErrorCode } from '../../common/errors.ts'
import type { EventStreams, Followed } from '../event-streams.ts'
import type { ApiRoutes } from './api-routes.ts'
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
export function addEvents(
  api: ApiRoutes,
  streams: EventStreams,
  errors: { readonly ofOne: readonly ErrorCode[]; readonly ofAll: readonly ErrorCode[] },
): void {
  api.add(
    {
      method: 'get',
      path: '/api/events',
      summary: 'Which documents change, of all whose names begin alike, as server-sent events.',
      description:
        'The token has to allow to list them. `data` of an event without a name is `{"document":"…","cursor":"…"}`. An event `reset` says that others may have changed meanwhile: at the beginning, and behind an id that this server does not know any more.',
      params: z.object({}),
      query: allEventsQuery,
      headers: lastEventId,
      responses: { 200: STREAM },
      errors: errors.ofAll,
    },
    async (c, { query: { prefix } }) => {
      const { incoming } = c.env
      if (incoming.method === 'HEAD') return c.body(null, 200, { 'content-type': 'text/event-stream' })
      await streams.followAll(c.env, prefix, c.req.header('last-event-id') ?? '', () => c.body(null).headers)
      return answered()
    },
  )
  api.add(
    {
      method: 'get',
      path: '/api/documents/{name}/events',
      summary: 'What happens to a document, as server-sent events.',
      description:
        'Each is durable, and `id` is the cursor behind it. Without `as`, `data` is a Yjs update (v1) in base64. With it, an event `reset` has the value as JSON, and `data` of those without a name is an array of changes to it: `{ index, delete?, insert? }` of a text, each in what those before it have made of it, or the operations of a JSON Patch (RFC 6902). With `messages` it is a message in base64 (PROTOCOL.md, from R57 on). An event `presence` has all who are `present`, or who has `joined`, `changed` or `left`.',
      params: nameParams,
      query: eventsQuery,
      headers: lastEventId.extend(streamHeaders.shape),
      responses: { 200: STREAM },
      errors: errors.ofOne,
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
