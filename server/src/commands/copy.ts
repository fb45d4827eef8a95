import { z } from 'zod'
import { CoeditError } from '../common/errors.ts'
import type { Clock } from '../common/timing.ts'
import { isDatabaseUrl, MAX_DATABASE_NAME_BYTES, serverSchema } from '../config/config.ts'
import { countServers } from '../storage/postgres/servers.ts'
import type { RevocationStore } from '../storage/revocation-store.ts'
import type { Storage } from '../storage/storage.ts'
import type { WebhookStore } from '../storage/webhook-store.ts'
import { counted, declareCommand } from './command.ts'
import { compareDocument } from './comparing.ts'
import { CopyReport } from './copy-report.ts'
import { CopyClock, copyDeletion, copyDocument } from './copying.ts'
import { deletedIn, namesIn, type StorageOptions, withDocuments, withStorage } from './data.ts'

const EXPECTED = 'a directory or a URL such as postgres://user@host:5432/name'

const schema = serverSchema.pick({ logLevel: true }).extend({
  from: z.string().default('').meta({
    description: 'Where the documents are. A flag shows in the list of processes.',
    expected: EXPECTED,
    secret: true,
  }),
  to: z.string().default('').meta({
    description: 'Where they are to be. A directory is made when it is missing. A flag shows in the list of processes.',
    expected: EXPECTED,
    secret: true,
  }),
  force: z
    .boolean()
    .default(false)
    .describe('Copy although servers are connected to the PostgreSQL: what they write meanwhile may be left behind.'),
})

type Options = z.output<typeof schema>

/** Between what is copied. */
interface Places {
  readonly from: StorageOptions
  readonly to: StorageOptions
}

export const copy = declareCommand({
  name: 'copy',
  summary: 'Copy all documents from a directory to PostgreSQL, or back.',
  description:
    'Copies all documents with their history, what was deleted, revocations and webhooks to another directory or database, and reads all of them back. The servers on ' +
    'both sides must be stopped: it refuses to start while one has a directory open or is connected to a database. For ' +
    'a new database, run coedit migrate before. After an interruption, run it again: what is at the destination already is ' +
    'completed, and never changed. Documents that are others there are named, and the exit code is 1. Versions keep ' +
    'their numbers, times, authors and names. Event streams begin anew afterwards.',
  operands: [],
  schema,
  async execute({ options, print }) {
    const places = placesOf(options)
    const report = new CopyReport(print)
    await expectNoServers(places, options)
    await copyAll(places, report)
    // What is compared comes from the disk: all was closed in between.
    await compareAll(places, report)
    await expectNoServers(places, options)
    report.finish()
  },
})

/** @throws CoeditError OPTION_INVALID */
function placesOf({ from, to, logLevel }: Options): Places {
  const placeOf = (flag: string, text: string): StorageOptions => {
    if (text === '') throw new CoeditError('OPTION_INVALID', `${flag} is missing: expected ${EXPECTED}`)
    const [data, database] = isDatabaseUrl(text) ? ['', text] : [text, '']
    return { data, database, logLevel }
  }
  return { from: placeOf('--from', from), to: placeOf('--to', to) }
}

/** Whoever has a directory is found out by its lock. */
async function expectNoServers({ from, to }: Places, { force }: Options): Promise<void> {
  if (force) return
  for (const { database } of [from, to]) {
    if (database === '') continue
    const servers = await countServers(database)
    if (servers === 0) continue
    const message = `${counted(servers, 'server')} connected to the database: stop them, or copy all the same with --force.`
    throw new CoeditError('STORAGE_LOCKED', message)
  }
}

function withBoth<T>({ from, to }: Places, use: (source: Storage, target: Storage) => Promise<T>, clock?: Clock) {
  return withDocuments(from, (source) => withStorage(to, (target) => use(source, target), clock))
}

async function copyAll(places: Places, report: CopyReport): Promise<void> {
  const clock = new CopyClock()
  const maxNameBytes = places.to.database === '' ? Number.POSITIVE_INFINITY : MAX_DATABASE_NAME_BYTES
  await withBoth(
    places,
    async (source, target) => {
      await copyRevocations(source.revocations, target.revocations)
      await copyWebhooks(source.webhooks, target.webhooks)
      for await (const name of namesIn(source)) {
        if (Buffer.byteLength(name) > maxNameBytes) report.failed(name, `its name has more than ${maxNameBytes} bytes`)
        else await report.attempt(name, () => copyDocument(name, source, target, clock))
      }
      for await (const deleted of deletedIn(source)) {
        await report.attempt(deleted.document, () => copyDeletion(deleted, target))
      }
    },
    clock,
  )
}

async function copyRevocations(source: RevocationStore, target: RevocationStore): Promise<void> {
  const lacking = await lackingRevocations(source, target)
  if (lacking.length > 0) await target.storeRevocations(lacking, [])
}

/** Copies those that the target lacks; what they were still to be told stays behind, as that of hooks does. */
async function copyWebhooks(source: WebhookStore, target: WebhookStore): Promise<void> {
  const present = new Set((await target.loadWebhooks()).map(({ id }) => id))
  for (const webhook of await source.loadWebhooks()) if (!present.has(webhook.id)) await target.storeWebhook(webhook)
}

/** Those that the target does not have, or only as older ones. */
async function lackingRevocations(source: RevocationStore, target: RevocationStore) {
  const present = new Map((await target.loadRevocations()).map(({ target, time }) => [target, time]))
  return (await source.loadRevocations()).filter(({ target, time }) => (present.get(target) ?? 0) < time)
}

async function compareAll(places: Places, report: CopyReport): Promise<void> {
  await withBoth(places, async (source, target) => {
    const lacking = await lackingRevocations(source.revocations, target.revocations)
    if (lacking.length > 0) report.lacksRevocations(lacking.length)
    for await (const name of namesIn(source)) await report.compare(name, () => compareDocument(name, source, target))
    for await (const { document } of deletedIn(source)) {
      const isThere = async () => !(await target.load(document)).isDeleted
      await report.compare(document, async () =>
        (await isThere()) ? 'is at the destination, and deleted at the source' : undefined,
      )
    }
  })
}
