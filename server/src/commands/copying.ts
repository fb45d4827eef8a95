import { goneError } from '../common/errors.ts'
import { type Clock, systemClock } from '../common/timing.ts'
import { EMPTY_UPDATE } from '../protocol/update/update.ts'
import type { DeletedDocument } from '../storage/catalog.ts'
import type { LogEntry, StoredDocument } from '../storage/document-store.ts'
import type { DatedDocument, DatedEntry, HistoryStore, Segment, WholeSegment } from '../storage/history-store.ts'
import type { Storage } from '../storage/storage.ts'

const SEGMENTS_AT_A_TIME = 1_000

/** Says of a document that it was written when the original was. */
export class CopyClock implements Clock {
  time: number | undefined
  readonly after = systemClock.after

  now(): number {
    return this.time ?? systemClock.now()
  }
}

/**
 * Copies what the target lacks of a document, each part under the numbers that it has: the snapshot, what it was before,
 * the log, and versions that have a name. A part that is there was left by a copy that was ended, or was all that there
 * was then. Where something else is there it is left to be compared.
 */
export async function copyDocument(name: string, source: Storage, target: Storage, clock: CopyClock): Promise<string> {
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
export async function originalOf(name: string, source: Storage): Promise<DatedDocument> {
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
export async function segmentsIn(history: HistoryStore, name: string): Promise<readonly Segment[]> {
  const segments: Segment[] = []
  for (;;) {
    const page = await history.listSegments(name, segments.at(-1)?.place, SEGMENTS_AT_A_TIME)
    segments.push(...page)
    if (page.length < SEGMENTS_AT_A_TIME) return segments
  }
}

/** Undefined where it is damaged. */
export async function wholeSegment(
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
export async function copyDeletion({ document, formerClients }: DeletedDocument, target: Storage): Promise<string> {
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

export function isEqual(some: readonly Uint8Array[], others: readonly Uint8Array[]): boolean {
  return some.length === others.length && some.every((bytes, index) => Buffer.compare(bytes, others[index]) === 0)
}

function chunksOf({ snapshot }: StoredDocument): readonly Uint8Array[] {
  return snapshot?.chunks ?? []
}

function updatesOf(entries: readonly LogEntry[]): readonly Uint8Array[] {
  return entries.map(({ update }) => update)
}
