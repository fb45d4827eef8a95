import { z } from 'zod'
import { CoeditError, goneError } from '../common/errors.ts'
import { type Clock, systemClock } from '../common/timing.ts'
import { isDatabaseUrl, MAX_DATABASE_NAME_BYTES, serverSchema } from '../config/config.ts'
import { EMPTY_UPDATE, mergeEntries } from '../protocol/update/update.ts'
import type { DeletedDocument } from '../storage/catalog.ts'
import type { LogEntry, StoredDocument } from '../storage/document-store.ts'
import type { DatedDocument, DatedEntry, HistoryStore, Segment, WholeSegment } from '../storage/history-store.ts'
import { countServers } from '../storage/postgres/servers.ts'
import type { RevocationStore } from '../storage/revocation-store.ts'
import type { Storage } from '../storage/storage.ts'
import type { WebhookStore } from '../storage/webhook-store.ts'
import { counted, declareCommand, type Print } from './command.ts'
import { entriesOf } from './content.ts'
import { deletedIn, namesIn, type StorageOptions, withDocuments, withStorage } from './data.ts'

const SEGMENTS_AT_A_TIME = 1_000

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
    const report = new Report(print)
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

async function copyAll(places: Places, report: Report): Promise<void> {
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

/**
 * Copies what the target lacks of a document, each part under the numbers that it has: the snapshot, what it was before,
 * the log, and versions that have a name. A part that is there was left by a copy that was ended, or was all that there
 * was then. Where something else is there it is left to be compared.
 */
async function copyDocument(name: string, source: Storage, target: Storage, clock: CopyClock): Promise<string> {
  const stored = await originalOf(name, source)
  const present = await target.load(name)
  if (!isBeginning(present, stored)) return 'there already'
  const anew = present.head === 0 && (await copyFormerClients(name, stored, target))
  if (present.isDeleted && !anew) throw goneError(name)
  if (stored.snapshot && present.head === 0) {
    clock.time = (await source.stat(name))?.updatedAt
    await target.storeSnapshot(name, stored.snapshot)
  }
  const segments = await copySegments(name, source.history, target.history)
  await appendRest(name, { ...stored, anew }, target, clock)
  const versions = await copyNamedVersions(name, source, target)
  return present.head < stored.head || segments + versions > 0 ? 'copied' : 'there already'
}

/** Of a document of which nothing is left but what is in quarantine, the copy is an empty one. */
async function originalOf(name: string, source: Storage): Promise<DatedDocument> {
  const stored = await source.history.loadDated(name)
  if (stored.head > 0) return stored
  const time = (await source.stat(name))?.createdAt ?? 0
  return { ...stored, head: 1, tail: [{ seq: 1, time, authors: new Uint8Array(), update: EMPTY_UPDATE }] }
}

/** Whether this is what a document was, or is a part of what a copy makes of it. */
function isBeginning(present: StoredDocument, stored: StoredDocument): boolean {
  if (present.head === 0) return true
  const isSnapshot = present.snapshot?.seq === stored.snapshot?.seq && isEqual(chunksOf(present), chunksOf(stored))
  return isSnapshot && isEqual(updatesOf(present.tail), updatesOf(stored.tail.slice(0, present.tail.length)))
}

/** Resolves with how many there were to copy. What is damaged stays behind. */
async function copySegments(name: string, source: HistoryStore, target: HistoryStore): Promise<number> {
  const [latest] = await target.listSegments(name, undefined, 1)
  let copied = 0
  for (const segment of (await segmentsIn(source, name)).toReversed()) {
    if (segment.first <= (latest?.last ?? 0)) continue
    const whole = await wholeSegment(name, segment, source)
    if (!whole) continue
    await target.storeSegment(name, whole)
    copied++
  }
  return copied
}

/** All of a document, the latest first. */
async function segmentsIn(history: HistoryStore, name: string): Promise<readonly Segment[]> {
  const segments: Segment[] = []
  for (;;) {
    const page = await history.listSegments(name, segments.at(-1)?.place, SEGMENTS_AT_A_TIME)
    segments.push(...page)
    if (page.length < SEGMENTS_AT_A_TIME) return segments
  }
}

/** Undefined where it is damaged. */
async function wholeSegment(
  name: string,
  { place, isStart }: Segment,
  history: HistoryStore,
): Promise<WholeSegment | undefined> {
  const entries = await history.readSegment(name, place)
  return entries && { entries, ...(isStart && { start: await history.readStart(name, place) }) }
}

/** Appends what follows the log of the target, each entry as if at the time at which it was written. */
async function appendRest(
  name: string,
  { tail, anew }: Pick<DatedDocument, 'tail'> & { readonly anew: boolean },
  target: Storage,
  clock: CopyClock,
): Promise<void> {
  const { head } = await target.load(name)
  let base = head
  for (const entries of batchesOf(tail.filter(({ seq }) => seq > head))) {
    clock.time = entries[0]?.time
    const isFirst = base === 0
    const requests = entries.map(({ update, authors }) => {
      return { document: name, update, authors, base, isFirst, anew: anew && isFirst }
    })
    base = (await target.append(requests)).at(-1)?.seq ?? base
  }
}

/** Resolves with how many there were to copy. What is damaged stays behind. */
async function copyNamedVersions(name: string, source: Storage, target: Storage): Promise<number> {
  const present = new Set((await target.history.listNamedVersions(name)).map((version) => version.name))
  const lacking = (await source.history.listNamedVersions(name)).filter((version) => !present.has(version.name))
  if (lacking.length === 0) return 0
  const { incarnation } = await target.load(name)
  for (const version of lacking) {
    const update = await source.history.readNamedVersion(name, version.name)
    if (update) await target.history.nameVersion(name, { ...version, incarnation, update })
  }
  return lacking.length
}

/**
 * Has the target know who wrote a document before it was deleted and made anew, so that it is made anew there, too.
 * Resolves false where that never was.
 */
async function copyFormerClients(name: string, { formerClients }: StoredDocument, target: Storage): Promise<boolean> {
  if (!formerClients) return false
  const present = await target.load(name)
  if (present.formerClients && Buffer.compare(present.formerClients, formerClients) !== 0) throw goneError(name)
  return target.delete(name, { formerClients })
}

/** Deletes at the target what is deleted at the source; what is there stays, and is left to be compared. */
async function copyDeletion({ document, formerClients }: DeletedDocument, target: Storage): Promise<string> {
  const present = await target.load(document)
  if (present.isDeleted || present.head > 0) return 'there already'
  await target.delete(document, { formerClients })
  return 'deleted'
}

/** A database that takes long to answer is given up, so it is given no more at once. */
const BATCH_BYTES = 4 * 1024 * 1024

/** Those of a batch were written at the same time. */
function* batchesOf(entries: readonly DatedEntry[]): Generator<readonly DatedEntry[]> {
  let batch: DatedEntry[] = []
  let bytes = 0
  for (const entry of entries) {
    const isFull = bytes + entry.update.length > BATCH_BYTES
    if (batch.length > 0 && (isFull || batch[0]?.time !== entry.time)) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(entry)
    bytes += entry.update.length
  }
  if (batch.length > 0) yield batch
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

async function compareAll(places: Places, report: Report): Promise<void> {
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

/** Resolves with what is wrong with the copy, if anything is. */
async function compareDocument(name: string, source: Storage, target: Storage): Promise<string | undefined> {
  const [original, copied] = [await originalOf(name, source), await target.history.loadDated(name)]
  if (copied.head === 0) return 'is not at the destination'
  if (!isSame(original, copied)) return 'is another one at the destination'
  const isHistorySame =
    original.head === copied.head &&
    original.tail.length === copied.tail.length &&
    areSame(original.tail, copied.tail) &&
    (await haveSameSegments(name, source.history, target.history)) &&
    (await haveSameNames(name, source.history, target.history))
  if (!isHistorySame) return 'has another history at the destination'
  const { quarantined = [] } = original
  return quarantined.length > 0
    ? `has ${counted(quarantined.length, 'update')} in quarantine that stay behind`
    : undefined
}

/** Whether the target has what the source can still read, from the latest segment back. */
async function haveSameSegments(name: string, source: HistoryStore, target: HistoryStore): Promise<boolean> {
  const copies = new Map((await segmentsIn(target, name)).map((segment) => [segment.first, segment]))
  for (const segment of await segmentsIn(source, name)) {
    const original = await wholeSegment(name, segment, source)
    if (!original) return true
    const copy = copies.get(segment.first)
    const copied = copy && (await wholeSegment(name, copy, target))
    if (!copied || !areSame(original.entries, copied.entries)) return false
    if (!isEqual(original.start ?? [], copied.start ?? [])) return false
  }
  return true
}

async function haveSameNames(name: string, source: HistoryStore, target: HistoryStore): Promise<boolean> {
  const copies = new Map((await target.listNamedVersions(name)).map((version) => [version.name, version]))
  for (const original of await source.listNamedVersions(name)) {
    const copied = copies.get(original.name)
    if (copied?.seq !== original.seq || copied.namedAt !== original.namedAt) return false
    const [was, is] = [
      await source.readNamedVersion(name, original.name),
      await target.readNamedVersion(name, original.name),
    ]
    if (was && !(is && isEqual([original.authors, was], [copied.authors, is]))) return false
  }
  return true
}

function areSame(entries: readonly DatedEntry[], others: readonly DatedEntry[]): boolean {
  const bytesOf = (all: readonly DatedEntry[]) => all.flatMap(({ authors, update }) => [authors, update])
  const isDated = entries.every(({ seq, time }, index) => others[index]?.seq === seq && others[index].time === time)
  return isDated && isEqual(bytesOf(entries), bytesOf(others))
}

function isEqual(some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean {
  return some.length === others.length && some.every((bytes, index) => Buffer.compare(bytes, others[index]) === 0)
}

function chunksOf({ snapshot }: StoredDocument): readonly Uint8Array[] {
  return snapshot?.chunks ?? []
}

function updatesOf(entries: readonly LogEntry[]): readonly Uint8Array[] {
  return entries.map(({ update }) => update)
}

function isSame(one: StoredDocument, other: StoredDocument): boolean {
  return Buffer.compare(mergeEntries(entriesOf(one)), mergeEntries(entriesOf(other))) === 0
}

/** Says of a document that it was written when the original was. */
class CopyClock implements Clock {
  time: number | undefined
  readonly after = systemClock.after

  now(): number {
    return this.time ?? systemClock.now()
  }
}

/** Says what became of each document, and the sums. */
class Report {
  readonly #print: Print
  readonly #outcomes = new Map<string, number>()
  readonly #bad = new Set<string>()
  #same = 0
  #lackingRevocations = 0

  constructor(print: Print) {
    this.#print = print
  }

  /** Does something with a document. A document that cannot be read or written holds up no other. */
  async attempt(name: string, work: () => Promise<string>): Promise<void> {
    try {
      const outcome = await work()
      this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1)
      this.#print(`'${name}': ${outcome}\n`)
    } catch (error) {
      this.failed(name, reasonOf(error))
    }
  }

  async compare(name: string, work: () => Promise<string | undefined>): Promise<void> {
    if (this.#bad.has(name)) return
    try {
      const problem = await work()
      if (problem === undefined) this.#same++
      else this.failed(name, problem)
    } catch (error) {
      this.failed(name, reasonOf(error))
    }
  }

  failed(name: string, problem: string): void {
    this.#bad.add(name)
    this.#print(`'${name}': ${problem}\n`)
  }

  lacksRevocations(count: number): void {
    this.#lackingRevocations = count
    this.#print(`${counted(count, 'revocation')} not at the destination\n`)
  }

  /** @throws CoeditError COPY_INCOMPLETE */
  finish(): void {
    const outcomes = [...this.#outcomes].map(([outcome, count]) => `${count} ${outcome}`)
    const sums = [counted(this.#same + this.#bad.size, 'document'), ...outcomes, `${this.#same} read back the same`]
    this.#print(`${sums.join(', ')}\n`)
    if (this.#bad.size + this.#lackingRevocations === 0) return
    const message = `${counted(this.#bad.size, 'document')} and ${counted(this.#lackingRevocations, 'revocation')} are not at the destination as they are at the source.`
    throw new CoeditError('COPY_INCOMPLETE', message)
  }
}

/** Why a document could not be read or written. What is no affair of that document alone is thrown again. */
function reasonOf(error: unknown): string {
  if (error instanceof CoeditError && ['STORAGE_DAMAGED', 'STORAGE_CONFLICT', 'GONE'].includes(error.code))
    return error.message
  throw error
}
