import { z } from '@hono/zod-openapi'
import { contentQuery, json, MAX_LISTED, MAX_NAME, nameParams, root } from './schemas.ts'

const versionNumber = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const time = z.iso.datetime({ offset: true })
const moment = z
  .union([z.string().regex(/^\d{1,15}$/), time, z.string().regex(/^named:./)])
  .describe('The number of a version, a time such as `2026-01-31T12:00:00Z`, or `named:` and the name of a version.')
const versionName = z.string().min(1).max(MAX_NAME)
const momentJson = z.union([versionNumber, time, z.strictObject({ named: versionName })]).openapi('Moment')

export const timelineQuery = z.object({
  before: z.coerce.number().pipe(versionNumber).optional().describe('The `next` of the page before.'),
  limit: z.coerce.number().int().min(1).max(MAX_LISTED).default(100).describe('Groups at most.'),
  pause: z.coerce
    .number()
    .min(0)
    .max(86_400)
    .default(300)
    .describe('Seconds without an edit of somebody, after which another group of theirs begins.'),
})

export const momentQuery = z.object({ at: moment })

export const pastContentQuery = contentQuery.extend({ at: moment })

export const changesQuery = z.object({
  from: moment,
  to: moment,
  root: root.default('content'),
  as: z.enum(['text', 'json']).default('json'),
})

const writer = z
  .strictObject({
    name: z.string().describe('The user of a token, or the name that a connection showed.'),
    claimed: z.boolean().default(false).describe('Whether nothing but the connection itself said so.'),
  })
  .openapi('Author')

export const timelineAnswer = z
  .object({
    groups: z.array(
      z.object({
        author: writer.nullable().describe('Null where nobody is known.'),
        first: z.int().describe('The version that its first entry made.'),
        last: z.int().describe('The version that its last entry made.'),
        since: z.iso.datetime(),
        until: z.iso.datetime(),
        entries: z.int().describe('In how many entries of the log there is something of theirs.'),
      }),
    ),
    next: z.int().optional().describe('Missing on the last page.'),
  })
  .openapi('Timeline')

const change = z.object({
  index: z.int().optional(),
  delete: z.int().optional(),
  insert: z.string().optional(),
  op: z.enum(['add', 'remove', 'replace']).optional(),
  path: z.string().optional(),
  value: json.optional(),
})

export const changesAnswer = z.object({ from: z.int(), to: z.int(), changes: z.array(change) }).openapi('Changes')

export const versionParams = nameParams.extend({
  version: versionName.openapi({ param: { description: 'The name of a version.' } }),
})

/** Which version is to get a name. */
export const naming = z
  .strictObject({ at: momentJson.optional().describe('Default: what is there now.') })
  .openapi('Naming')

const named = z.object({
  name: z.string(),
  version: z.int(),
  namedAt: z.iso.datetime(),
  by: writer.nullable().describe('Null where nobody is known.'),
})

export const versionsAnswer = z.object({ versions: z.array(named) }).openapi('Versions')
export const namedAnswer = z.object({ version: z.int() }).openapi('NamedVersion')

/** What a document is to become: what it was, or what it would be without what somebody has written since. */
export const restoration = z
  .union([z.strictObject({ to: momentJson }), z.strictObject({ since: momentJson, author: writer })])
  .openapi('Restoration')
