import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { CoeditError } from '../../common/errors.ts'
import { cursorId } from '../../document/cursor-id.ts'
import type { CallAnswer, CallContent } from '../../peers/callers/call.ts'
import type { Calls } from '../calls.ts'
import { dataLine } from '../event-data.ts'
import type { Env } from '../routes.ts'
import type { ApiRoutes } from './api-routes.ts'
import { BINARY } from './bodies.ts'
import { ADMISSION_WITH_BODY, DOCUMENT } from './descriptions.ts'
import { callHeaders, callQuery, nameParams } from './schemas.ts'

/** The way in for clients of ours where WebSockets are blocked. */
export function addMessages(api: ApiRoutes, calls: Calls): void {
  const schema = z.string().openapi({ format: 'binary' })
  api.add(
    {
      method: 'post',
      path: `${DOCUMENT}/messages`,
      summary: 'Takes messages of the WebSocket protocol, for clients that have no WebSocket.',
      description:
        'Each has its length in four bytes before it, and each that answers is an event (PROTOCOL.md, from R57 on). What is new in them is durable when the answer comes. Any server of a database answers any request.',
      params: nameParams,
      query: callQuery,
      headers: callHeaders,
      body: { required: true, content: { [BINARY]: { schema } } },
      responses: {
        200: { description: 'The messages of the server.', content: { 'text/event-stream': { schema: z.string() } } },
      },
      // What is refused of single edits is told by messages.
      errors: [...ADMISSION_WITH_BODY, 'MESSAGE_MALFORMED', 'UPDATE_MALFORMED', 'GONE', 'STORAGE_CLOSED'],
    },
    async (c, { params: { name }, query: { access, leave, sent } }) => {
      const answer = await calls.take(c.env, {
        name,
        key: keyIn(c),
        isReadOnly: access === 'read',
        isLeaving: leave !== undefined,
        sentBefore: sent,
        body: () => c.req.arrayBuffer(),
      })
      return answer ? answered(c, answer) : c.body(null)
    },
  )
}

function keyIn(c: Context<Env>): string {
  const parsed = callHeaders.safeParse({ 'Coedit-Client': c.req.header('coedit-client') })
  if (parsed.success) return parsed.data['Coedit-Client']
  throw new CoeditError('REQUEST_INVALID', 'Coedit-Client: expected a secret of 16 to 255 characters')
}

function answered(c: Context<Env>, { messages, content }: CallAnswer): Response {
  const before = messages.map((message) => `${dataLine([message])}\n`).join('')
  const body = content ? streamOf(content, c.env.outgoing, before) : before
  return c.body(body, 200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
}

/** As fast as the client takes it. */
function streamOf(
  { place, messages, release }: CallContent,
  outgoing: Env['Bindings']['outgoing'],
  before: string,
): ReadableStream<Uint8Array> {
  outgoing.once('close', release)
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (outgoing.destroyed) release()
      controller.enqueue(Buffer.from(before))
    },
    pull(controller) {
      const { done, value } = messages.next()
      if (!done) {
        controller.enqueue(Buffer.from(`${dataLine(value)}\n`))
        return
      }
      release()
      // An event that is nothing but the place from where a stream goes on.
      controller.enqueue(Buffer.from(`id: ${cursorId(place)}\n\n`))
      controller.close()
    },
    cancel: release,
  })
}
