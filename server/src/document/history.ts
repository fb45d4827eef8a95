import { CoeditError, goneError, missingError } from '../common/errors.ts'
import { Recent } from '../common/recent.ts'
import type { Clock } from '../common/timing.ts'
import { encodeWriter, type Writer } from '../protocol/update/update.ts'
import type { DatedDocument, DatedEntry, HistoryStore, Segment } from '../storage/history-store.ts'
import type { WorkerPool } from '../workers/pool.ts'
import { writersOf } from './authors.ts'
import { Timeline, type TimelinePage } from './timeline.ts'

/** Segments that are listed at a time. */
const LISTED = 64
/** Merged segments in memory; one has a few KiB. */
const MAX_MERGED_BYTES = 16 * 1024 * 1024
/** How much may have been written between two versions for what has happened there to be looked at. */
const MAX_STRETCH_BYTES = 256 * 1024 * 1024
/**
 * Entries that a page of a timeline is made of at most: one with few groups ends early. To read a segment costs as much
 * as so many.
 */
const MAX_PAGE_ENTRIES = 32_768
const SEGMENT_ENTRIES = 128

/**
 * A version by its number, which is that of the last entry in it, or by its name, or what was there at a time, in
 * milliseconds of the epoch.
 */
export type Moment = { readonly version: number } | { readonly time: number } | { readonly named: string }

/** A version that has a name. */
export interface Named {
  readonly name: string
  readonly version: number
  /** When it was named, in milliseconds of the epoch. */
  readonly namedAt: number
  /** Who has named it; null where nobody is known. */
  readonly by: Writer | null
}

export interface TimelineQuery {
  /** Entries before this number; default: all. */
  readonly before?: number | undefined
  /** Groups at most. */
  readonly limit: number
  /** Milliseconds in which somebody writes nothing, after which another group begins. */
  readonly pauseMs: number
}

/** A document as it was. */
export interface Version {
  readonly version: number
  /** Yjs encoding (v1). */
  readonly update: Uint8Array
}

/** What has happened between two versions. */
export interface Stretch {
  readonly from: Version
  readonly to: number
  readonly entries: readonly DatedEntry[]
  /** All of the entries together, as one update that follows `from`. */
  readonly update: Uint8Array
}

export interface HistoryContext {
  readonly clock: Clock
  readonly storage: HistoryStore
  readonly workers: WorkerPool
}

/** Entries that are together in the storage: a segment, or the log. */
interface Part extends Pick<Segment, 'first' | 'last' | 'since' | 'isStart'> {
  readonly place: number | undefined
}

/** Reads what documents were. Of what was asked for last, segments that are merged stay in memory. */
export class History {
  readonly #context: HistoryContext
  readonly #merged = new Recent<string, Uint8Array>(MAX_MERGED_BYTES, ({ length }) => length)

  constructor(context: HistoryContext) {
    this.#context = context
  }

  /**
   * Who wrote when, from the latest on: a group is what one writer wrote without a longer pause.
   * Rejects with DOCUMENT_MISSING, GONE, STORAGE_CLOSED.
   */
  async timeline(
    name: string,
    { before = Number.POSITIVE_INFINITY, limit, pauseMs }: TimelineQuery,
  ): Promise<TimelinePage> {
    const stored = await this.#load(name)
    const timeline = new Timeline(limit, pauseMs)
    let read = 0
    for await (const part of this.#parts(name, stored)) {
      if (part.first >= before) continue
      if (read > MAX_PAGE_ENTRIES) return timeline.page(true)
      read += SEGMENT_ENTRIES + part.last - part.first
      const entries = await this.#read(name, stored, part)
      if (!entries) break
      for (const entry of entries.toReversed()) {
        if (entry.seq < before && !timeline.add(entry)) return timeline.page(true)
      }
    }
    return timeline.page(false)
  }

  /**
   * What the document was. Rejects with DOCUMENT_MISSING, GONE, HISTORY_MISSING, STORAGE_CLOSED.
   */
  async open(name: string, moment: Moment): Promise<Version> {
    return this.#open(name, await this.#load(name), moment)
  }

  /** By name, in byte order. Rejects with DOCUMENT_MISSING, GONE, STORAGE_CLOSED. */
  async named(name: string): Promise<readonly Named[]> {
    await this.#load(name)
    const versions = await this.#context.storage.listNamedVersions(name)
    return versions.map(({ name, seq, namedAt, authors }) => {
      return { name, version: seq, namedAt, by: writersOf(authors)[0] ?? null }
    })
  }

  /**
   * Gives what the document was a name, under which it stays when the history before it goes away. Resolves with its
   * number once that is durable. Rejects as `open` does, and with VERSION_EXISTS, VERSIONS_FULL.
   */
  async name(document: string, name: string, moment: Moment | undefined, by: Writer | null): Promise<number> {
    const { clock, storage } = this.#context
    const stored = await this.#load(document)
    const { version, update } = await this.#open(document, stored, moment ?? { version: stored.head })
    const namedAt = Math.floor(clock.now())
    const { incarnation } = stored
    const authors = encodeWriter(by)
    const outcome = await storage.nameVersion(document, { name, seq: version, namedAt, authors, incarnation, update })
    if (outcome === 'taken') throw new CoeditError('VERSION_EXISTS', `a version of '${document}' is called '${name}'`)
    if (outcome === 'full')
      throw new CoeditError('VERSIONS_FULL', `'${document}' has too many named versions: remove some`)
    if (outcome === 'missing') throw goneError(document)
    return version
  }

  /** Takes a name away. Rejects with HISTORY_MISSING where there is no such version, and as `named` does. */
  async unname(document: string, name: string): Promise<void> {
    await this.#load(document)
    if (!(await this.#context.storage.removeNamedVersion(document, name))) unnamed(document, name)
  }

  /** What has happened between two moments, or since one. Rejects as `open` does. */
  async between(name: string, from: Moment, to?: Moment): Promise<Stretch> {
    const stored = await this.#load(name)
    const [first, last] = [
      await this.#numberOf(name, stored, from),
      to ? await this.#numberOf(name, stored, to) : stored.head,
    ]
    if (first > last) {
      throw new CoeditError('REQUEST_INVALID', `version ${first} comes after ${last}: expected the earlier one first`)
    }
    const before = await this.#open(name, stored, 'named' in from ? from : { version: first })
    const entries = await this.#entriesAfter(name, stored, first, last)
    const { groups } = await this.#context.workers.merge([[before.update], updatesOf(entries)])
    return { from: before, to: last, entries, update: groups[1] }
  }

  async #load(name: string): Promise<DatedDocument> {
    const stored = await this.#context.storage.loadDated(name)
    if (stored.isDeleted) throw goneError(name)
    if (stored.head === 0) throw missingError(name)
    return stored
  }

  /** The log, then segments backwards, as far as there are entries without a gap. */
  async *#parts(name: string, stored: DatedDocument): AsyncGenerator<Part, void, undefined> {
    const { snapshot, tail, head } = stored
    let last = snapshot?.seq ?? 0
    const since = tail.reduce((earliest, { time }) => Math.min(earliest, time), Number.POSITIVE_INFINITY)
    yield { place: undefined, first: last + 1, last: head, since, isStart: true }
    for (let place: number | undefined; last > 0; ) {
      const segments = await this.#context.storage.listSegments(name, place, LISTED)
      for (const segment of segments) {
        // What a compaction has put there since the document was read.
        if (segment.first > last) continue
        if (segment.last < last) return
        yield { ...segment, last }
        last = segment.first - 1
      }
      place = segments.at(-1)?.place
      if (segments.length < LISTED) return
    }
  }

  /** Undefined where it is gone, or damaged. */
  async #read(
    name: string,
    { tail }: DatedDocument,
    { place, last }: Part,
  ): Promise<readonly DatedEntry[] | undefined> {
    if (place === undefined) return tail
    return (await this.#context.storage.readSegment(name, place))?.filter(({ seq }) => seq <= last)
  }

  async #entriesOf(name: string, stored: DatedDocument, part: Part): Promise<readonly DatedEntry[]> {
    return (await this.#read(name, stored, part)) ?? lost(name)
  }

  async #open(name: string, stored: DatedDocument, moment: Moment): Promise<Version> {
    const version = await this.#numberOf(name, stored, moment)
    if (!('named' in moment)) return this.#versionOf(name, stored, version)
    const update = await this.#context.storage.readNamedVersion(name, moment.named)
    return { version, update: update ?? unnamed(name, moment.named) }
  }

  async #numberOf(name: string, stored: DatedDocument, moment: Moment): Promise<number> {
    if ('version' in moment) return moment.version
    if ('named' in moment) {
      const versions = await this.#context.storage.listNamedVersions(name)
      return versions.find((version) => version.name === moment.named)?.seq ?? unnamed(name, moment.named)
    }
    let earliest = 0
    for await (const part of this.#parts(name, stored)) {
      earliest = part.first - 1
      if (part.since > moment.time) continue
      const found = (await this.#entriesOf(name, stored, part)).findLast(({ time }) => time <= moment.time)
      if (found) return found.seq
    }
    return earliest
  }

  async #versionOf(name: string, stored: DatedDocument, version: number): Promise<Version> {
    const { storage } = this.#context
    const wanted: Part[] = []
    let earliest = stored.head
    if (version > stored.head) throw missing(`'${name}' has no version ${version}: it stands at ${stored.head}`)
    for await (const part of this.#parts(name, stored)) {
      wanted.unshift(part)
      if (part.isStart) earliest = part.first - 1
      if (part.isStart && part.first <= version + 1) {
        const chunks =
          part.place === undefined ? (stored.snapshot?.chunks ?? []) : await storage.readStart(name, part.place)
        const wholly = wanted.filter((one) => one.first <= version)
        return { version, update: await this.#merge(name, stored, chunks ?? lost(name), wholly, version) }
      }
    }
    throw missing(`the history of '${name}' begins at version ${earliest}, after ${version}`)
  }

  /** What the document was, of what it was before these parts and of their entries up to a version. */
  async #merge(
    name: string,
    stored: DatedDocument,
    chunks: readonly Uint8Array[],
    parts: readonly Part[],
    version: number,
  ): Promise<Uint8Array> {
    const { workers } = this.#context
    const keys = parts.map((part) => (part.last <= version ? keyOf(name, stored, part) : undefined))
    const groups: (readonly Uint8Array[])[] = [chunks]
    for (const [index, part] of parts.entries()) {
      const key = keys[index]
      const known = key === undefined ? undefined : this.#merged.get(key)
      if (known) groups.push([known])
      else {
        const entries = await this.#entriesOf(name, stored, part)
        groups.push(updatesOf(entries.filter(({ seq }) => seq <= version)))
      }
    }
    const merged = await workers.merge(groups)
    for (const [index, key] of keys.entries()) {
      if (key !== undefined) this.#merged.set(key, merged.groups[index + 1])
    }
    return merged.whole
  }

  /** The entries behind number `after`, up to `last`. */
  async #entriesAfter(
    name: string,
    stored: DatedDocument,
    after: number,
    last: number,
  ): Promise<readonly DatedEntry[]> {
    const found: (readonly DatedEntry[])[] = []
    let first = stored.head + 1
    let bytes = 0
    for await (const part of this.#parts(name, stored)) {
      if (part.last <= after) break
      first = part.first
      if (first > last) continue
      const entries = await this.#entriesOf(name, stored, part)
      bytes += entries.reduce((sum, { update }) => sum + update.length, 0)
      if (bytes > MAX_STRETCH_BYTES) {
        const message = `since version ${after} of '${name}' more than ${MAX_STRETCH_BYTES} bytes were written: name a later one`
        throw new CoeditError('DOCUMENT_UNREADABLE', message)
      }
      found.unshift(entries)
    }
    if (first > after + 1) throw missing(`the history of '${name}' begins at version ${first - 1}, after ${after}`)
    return found.flat().filter(({ seq }) => seq > after && seq <= last)
  }
}

/** By which what a whole segment comes to is known; undefined for the log, which goes on. */
function keyOf(name: string, { incarnation }: DatedDocument, { place, first, last }: Part): string | undefined {
  return place === undefined ? undefined : JSON.stringify([name, incarnation, place, first, last])
}

function updatesOf(entries: readonly DatedEntry[]): readonly Uint8Array[] {
  return entries.map(({ update }) => update)
}

function lost(name: string): never {
  throw missing(`a part of the history of '${name}' is gone or damaged`)
}

function unnamed(document: string, name: string): never {
  throw missing(`no version of '${document}' is called '${name}'`)
}

function missing(message: string): CoeditError {
  return new CoeditError('HISTORY_MISSING', message)
}
