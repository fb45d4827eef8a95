import { z } from '@hono/zod-openapi'
import { type Json, REPRESENTATIONS } from '../../content/requests.ts'

/** Longest name of a root type, a version or a service, in characters. */
export const MAX_NAME = 255
/** How deep values in a body may nest; Yjs goes through them by recursion. */
const MAX_DEPTH = 100
const MAX_INDEX = 2 ** 31
export const MAX_LISTED = 1000

export const root = z.string().min(1).max(MAX_NAME).describe('The name of a root type, such as `content`.')
export const json = z
  .custom<Json>(
    (value) => value !== undefined && depthOf(value) <= MAX_DEPTH,
    `expected JSON, nested ${MAX_DEPTH} deep at most`,
  )
  .openapi({ type: ['null', 'boolean', 'number', 'string', 'array', 'object'], description: 'Any JSON value.' })
const path = z.string().max(4096).describe('A JSON Pointer (RFC 6901). Below a text there is nothing.')

const ofRoot = { root: root.optional().describe('Default: that of the query.') }
const operation = z
  .discriminatedUnion('op', [
    z.object({ op: z.enum(['add', 'replace', 'test']), path, value: json, ...ofRoot }),
    z.object({ op: z.literal('remove'), path, ...ofRoot }),
    z.object({ op: z.enum(['move', 'copy']), path, from: path, ...ofRoot }),
  ])
  .openapi('Operation')

const position = z.int().min(0).max(MAX_INDEX)
const textEdit = z
  .union([
    z.strictObject({ index: position, delete: position.optional(), insert: z.string().optional() }),
    z.strictObject({ find: z.string().min(1), replace: z.string(), all: z.boolean().optional() }),
  ])
  .openapi('TextEdit')

/** What a `PATCH` takes, by the type of its body. */
export const CHANGES = {
  'application/json-patch+json': z.array(operation).min(1).openapi('JsonPatch'),
  'application/merge-patch+json': json.openapi('MergePatch'),
  'application/json': z.array(textEdit).min(1).openapi('TextEdits'),
} as const

/** What a `PUT` takes as JSON: by the name of a root, a string for a text, an array for an array, an object for a map. */
export const newRoots = z
  .record(root, z.union([z.string(), z.array(json), z.record(z.string(), json)]))
  .openapi('Roots')

export const newQuery = z.object({ root: root.default('content').describe('Which text a plain text becomes.') })

/** Whom a `POST …/disconnect` is about. */
export const disconnection = z
  .strictObject({
    user: z.string().optional().describe('Default: everybody.'),
    connection: z.int().optional().describe('This one alone, by its `id` at the server that is asked.'),
  })
  .openapi('Disconnection')

export const nameParams = z.object({
  name: z.string().openapi({ param: { description: 'The document, percent-encoded; a slash in it is `%2F`.' } }),
})

export const listQuery = z.object({
  prefix: z.string().default('').describe('What the names begin with.'),
  after: z.string().optional().describe('The `next` of the page before.'),
  limit: z.coerce.number().int().min(1).max(MAX_LISTED).default(100).describe('Names at most.'),
})

export const contentQuery = z.object({
  root: root.optional().describe('Default: all of them, as JSON.'),
  as: z.enum(REPRESENTATIONS).default('json'),
})

export const eventsQuery = z.object({
  as: z
    .enum(['text', 'json', 'messages'])
    .optional()
    .describe(
      'Tells how a root changes: a text by splices, any root by JSON Patches. `messages`: those of the WebSocket protocol. Default: the updates of Yjs.',
    ),
  root: root.default('content'),
  presence: z.literal('1').optional().describe('Tells who is here, too.'),
  client: z.coerce
    .number()
    .int()
    .min(0)
    .optional()
    .describe('With `messages`: the client id of Yjs whose own presence is left out.'),
  poll: z
    .literal('1')
    .optional()
    .describe(
      'With `messages`: the answer ends soon after it has brought something, for who is behind a proxy that keeps it until then.',
    ),
})

const clientKey = z
  .string()
  .min(16)
  .max(MAX_NAME)
  .describe('A secret that a client makes once, such as a random UUID: by it its presence is its own.')

export const callHeaders = z.object({ 'Coedit-Client': clientKey })
export const streamHeaders = z.object({ 'Coedit-Client': clientKey.optional() })

export const callQuery = z.object({
  access: z.literal('read').optional().describe('Writes nothing, whatever the token allows.'),
  sent: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .describe('How many messages with edits the client has sent before: the acknowledgement counts from there.'),
  leave: z
    .literal('1')
    .optional()
    .describe('The last request: the presence of the client gives way to who claims it, and is gone a second later.'),
})

export const allEventsQuery = z.object({
  prefix: z.string().default('').describe('What the names begin with.'),
  as: z
    .enum(['text', 'json'])
    .optional()
    .describe('Brings the value of a root with each document. Default: names alone.'),
  root: root.default('content'),
})

export const patchQuery = z.object({ root: root.default('content') })

export const updateQuery = z.object({
  since: z
    .base64url()
    .optional()
    .describe('A state vector of Yjs in base64url: what lacks nothing up to there. Default: all of the document.'),
})

export const listAnswer = z
  .object({ documents: z.array(z.string()), next: z.string().optional().describe('Missing on the last page.') })
  .openapi('List')

export const factsAnswer = z
  .object({
    name: z.string(),
    cursor: z.string().describe('Where it stands; the `ETag` of its content, and the id of its last event.'),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime().describe('The time of the last edit.'),
    snapshotBytes: z.int().describe('Bytes of the last compaction.'),
    tailBytes: z.int().describe('Bytes of the edits since then.'),
    tailEntries: z.int(),
  })
  .openapi('Facts')

/** Seconds. */
export const MAX_SHOWN = 60
const shownText = z.object({
  root: root.default('content'),
  anchor: position.describe('The index, in UTF-16 code units, at which the selection was begun.'),
  head: position.optional().describe('The one to which it was led. Default: the same.'),
})

/** What a service shows of itself. */
export const shown = z
  .strictObject({
    name: z.string().min(1).max(MAX_NAME),
    color: z
      .string()
      .regex(/^#[0-9a-f]{6}$/i)
      .optional()
      .describe('Such as `#30bced`. Default: each editor chooses one.'),
    cursor: shownText.nullable().default(null).describe('Where in a text it is; it moves with the text.'),
    ttl: z.number().min(1).max(MAX_SHOWN).default(30).describe('Seconds until it vanishes, unless it is shown again.'),
  })
  .openapi('Shown')

export const presenceParams = nameParams.extend({
  id: z
    .string()
    .min(1)
    .max(MAX_NAME)
    .openapi({ param: { description: 'By which the service is known again.' } }),
})

export const presenceAnswer = z
  .object({ present: z.array(z.object({ clientId: z.number(), state: json })) })
  .openapi('Presence')

const counts = z.record(z.string(), z.int())
const distribution = z
  .object({
    count: z.int(),
    sum: z.number().describe('Seconds.'),
    buckets: z.array(z.object({ le: z.number(), count: z.int() })).describe('How many took at most `le` seconds.'),
  })
  .openapi('Distribution')

export const statusAnswer = z
  .object({
    time: z.iso.datetime(),
    startedAt: z.iso.datetime(),
    node: z.string().optional().describe('The option `nodeName`.'),
    memoryBytes: z.int().describe('Resident memory of the process.'),
    cpuSeconds: z.number(),
    eventLoop: z.object({ activeSeconds: z.number(), idleSeconds: z.number() }),
    connections: z.int().describe('Open WebSockets.'),
    visitors: z.int().describe('Who is let into a document, by WebSocket, event stream or request.'),
    documents: z.int().describe('Those in memory.'),
    pendingBytes: z.int().describe('Of edits that are not durable yet.'),
    entries: z.int().describe('Log entries that were made durable.'),
    commitFailures: z.int(),
    commits: distribution.describe('How long a batch of entries took until it was durable.'),
    shown: distribution.describe('From the first edit of a batch until all have been handed it.'),
    compactions: distribution,
    closes: counts.describe('WebSockets that were closed, by code.'),
    refusals: counts.describe('Requests and upgrades that were refused, by code.'),
    limits: counts.describe('How often somebody was slowed down, or something left out, by option.'),
    webhooks: z.object({
      deliveries: distribution.describe('How long webhooks took to be told of a document.'),
      failures: z.int().describe('Attempts to tell one that have failed.'),
      parked: z.int().describe('Those after which it is not tried again by itself.'),
    }),
    storage: z.union([
      z.object({ state: z.literal('ok') }),
      z.object({ state: z.literal('degraded'), since: z.number(), error: z.string() }),
    ]),
    damage: counts,
    hooks: z.record(z.string(), counts),
    busiest: z
      .array(z.object({ name: z.string(), editsPerMinute: z.int(), readers: z.int(), bytes: z.int() }))
      .describe('Documents in memory, by how much was written of late.'),
    quarantined: z
      .array(z.object({ name: z.string(), updates: z.int() }))
      .describe('Documents in memory of which damage has cut off updates.'),
  })
  .openapi('Status')

export const connectionsAnswer = z
  .object({
    connections: z.array(
      z.object({
        id: z.int(),
        user: z.string().optional(),
        access: z.enum(['read', 'write']),
        address: z.string().optional(),
        since: z.iso.datetime(),
      }),
    ),
    shown: z.array(z.string()).describe('How those call themselves who show something.'),
  })
  .openapi('Connections')

export const errorAnswer = z.object({ error: z.object({ code: z.string(), message: z.string() }) }).openapi('Error')

/** Without recursion, which a body could exhaust. */
function depthOf(value: unknown): number {
  let depth = 0
  for (let level: unknown[] = [value]; level.length > 0 && depth <= MAX_DEPTH; depth++) {
    level = level.flatMap((inner) => (typeof inner === 'object' && inner !== null ? Object.values(inner) : []))
  }
  return depth
}
