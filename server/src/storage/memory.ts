import { randomInt } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { CoeditError } from '../common/errors.ts'
import { Serial } from '../common/serial.ts'
import { type Clock, systemClock } from '../common/timing.ts'
import { lastStanding, lineageOf } from './lineage.ts'
import {
  checkBase,
  deletionOf,
  entriesAfter,
  knownKeyError,
  MAX_NAMED_VERSIONS,
  MAX_WRITE_KEYS,
  NO_LOG,
  NOWHERE,
  partAfter,
  WRITE_KEY_MS,
} from './log-part.ts'
import { decodeSegment, expiredUpTo, inflateAll, makeHistory, type NewSegment } from './segments.ts'
import type {
  Appended,
  AppendRequest,
  CursorFailure,
  CursorPlace,
  DatedDocument,
  DatedEntry,
  DeletedDocument,
  Deletion,
  DeletionRequest,
  DocumentFacts,
  EarlierIncarnation,
  HistoryRules,
  KnownWrite,
  LogEntry,
  LogPart,
  NamedVersion,
  NewNamedVersion,
  PostponedCursor,
  Relay,
  RelayListener,
  Segment,
  Snapshot,
  Storage,
  StorageDamage,
  StorageStatus,
  StoredDocument,
  StoredRevocation,
  StoredWebhook,
  Unfollow,
  WriteKey,
} from './storage.ts'
import { isDue, MAX_REASON_LENGTH, webhookOf } from './webhook-cursor.ts'

interface MemoryEntry extends DatedEntry {
  readonly writer: MemoryStorage
}

interface MemorySegment extends NewSegment {
  readonly place: number
  /** What was before it, where it is a start. */
  readonly start: readonly Uint8Array[]
}

interface MemoryKey extends WriteKey {
  readonly seq: number
  readonly time: number
}

interface MemoryCursor {
  /** Undefined where nothing was written since the document was deleted. */
  seq: number | undefined
  deletedAt: number | undefined
  failure: CursorFailure | undefined
  holder: MemoryStorage
}

interface MemoryDocument {
  incarnation: number
  earlierIncarnations: readonly EarlierIncarnation[]
  /** The epoch of the database in which it was appended to last. */
  epoch: number
  readonly createdAt: number
  updatedAt: number
  head: number
  snapshot: Snapshot | null
  tail: MemoryEntry[]
  keys: readonly MemoryKey[]
  segments: readonly MemorySegment[]
  readonly versions: Map<string, NewNamedVersion>
}

/** What several storages share as servers share an engine. It is gone with the process. */
export class MemoryDatabase {
  /** Grows by one with each failover. */
  epoch = 0
  readonly documents = new Map<string, MemoryDocument>()
  /** Of documents that were deleted; those that were made anew are in `documents` as well. */
  readonly formerClients = new Map<string, Uint8Array>()
  readonly deletionKeys: (MemoryKey & { readonly document: string })[] = []
  readonly revocations = new Map<string | null, StoredRevocation>()
  /** By the name of the cursor, then by document. */
  readonly cursors = new Map<string, Map<string, MemoryCursor>>()
  /** By their ids. */
  readonly webhooks = new Map<string, string>()
  /** By document, whoever is to be told that something was appended. */
  readonly followers = new Map<string, Set<() => void>>()
  /** Whoever is to be told of revocations, and the storage that it has them from. */
  readonly revocationFollowers = new Map<() => void, MemoryStorage>()
  /** The same of webhooks. */
  readonly webhookFollowers = new Map<() => void, MemoryStorage>()
  readonly relays = new Set<MemoryRelay>()

  /** Does as a standby that is promoted and never got the last entries of documents. */
  failOver(countLost: (document: string) => number): void {
    this.epoch++
    for (const [name, document] of this.documents) {
      document.head = Math.max(document.head - countLost(name), document.snapshot?.seq ?? 0)
      document.tail = document.tail.filter(({ seq }) => seq <= document.head)
      document.keys = document.keys.filter(({ seq }) => seq <= document.head)
      for (const cursors of this.cursors.values()) {
        const cursor = cursors.get(name)
        if (cursor && (cursor.seq ?? 0) >= document.head) cursors.delete(name)
      }
      if (document.head === 0) this.documents.delete(name)
      for (const tell of this.followers.get(name) ?? []) tell()
    }
  }
}

export interface MemoryStorageOptions {
  /** Default: one of its own. */
  readonly database?: MemoryDatabase
  readonly clock?: Clock
  /**
   * Awaited before and after each step and before each report, so that others act in between. Default: a turn of the
   * event loop.
   */
  readonly pause?: () => Promise<unknown>
}

/** An engine in memory: for tests, and the shortest answer to what an engine has to do. */
export class MemoryStorage implements Storage {
  readonly isShared = true
  readonly status: StorageStatus = { state: 'ok' }
  readonly damage: StorageDamage = { droppedBytes: 0, records: 0, failedReads: 0, lostEntries: 0 }
  readonly relay: MemoryRelay
  readonly #database: MemoryDatabase
  readonly #clock: Clock
  readonly #pause: () => Promise<unknown>
  readonly #gate = new Serial()
  readonly #following = new Set<Unfollow>()
  #isOpen = false

  constructor({
    database = new MemoryDatabase(),
    clock = systemClock,
    pause = setImmediate,
  }: MemoryStorageOptions = {}) {
    this.#database = database
    this.#clock = clock
    this.#pause = pause
    this.relay = new MemoryRelay(database, pause)
  }

  async open(): Promise<void> {
    this.#isOpen = true
  }

  async close(): Promise<void> {
    this.#isOpen = false
    this.relay.close()
    for (const unfollow of this.#following) unfollow()
    await this.#gate.idle()
  }

  load(document: string): Promise<StoredDocument> {
    return this.#run(() => {
      const { tail, ...stored } = this.#storedOf(document)
      return { ...stored, tail: tail.map(plain) }
    })
  }

  async readAfter(document: string, after: number, maxBytes?: number): Promise<LogPart | null> {
    return partAfter(await this.load(document), after, maxBytes)
  }

  append(batch: readonly AppendRequest[]): Promise<readonly Appended[]> {
    return this.#run(() => {
      for (const request of batch) {
        const { head, ...lineage } = this.#database.documents.get(request.document) ?? NO_LOG
        checkBase(request, { head, ...lineageOf(lineage), ...this.#deletionOf(request.document) })
        for (const { id } of request.keys ?? []) {
          if (this.#keyOf(request.document, id)) throw knownKeyError(request.document)
        }
      }
      const written = new Set<MemoryDocument>()
      const appended = batch.map((request) => this.#append(request, written))
      for (const { document } of batch) for (const tell of this.#database.followers.get(document) ?? []) tell()
      return appended
    })
  }

  async compact(
    document: string,
    snapshot: Snapshot,
    replaces: number,
    incarnation?: number,
    history?: HistoryRules,
  ): Promise<boolean> {
    const before = this.#database.documents.get(document)
    const made = history && before && (await this.#historyOf(before, snapshot.seq, history))
    return this.#run(() => {
      const stored = this.#database.documents.get(document)
      if (!stored || (stored.snapshot?.seq ?? 0) !== replaces) return false
      if (incarnation !== undefined && lastStanding(incarnation, stored) < snapshot.seq) return false
      if (snapshot.seq < replaces || snapshot.seq > stored.head) return false
      if (made && (stored !== before || stored.segments.at(-1)?.place !== made.after)) return false
      stored.snapshot = { ...snapshot, chunks: snapshot.chunks.map((chunk) => new Uint8Array(chunk)) }
      stored.tail = stored.tail.filter(({ seq }) => seq > snapshot.seq)
      stored.segments = [...stored.segments, ...(made?.segments ?? [])]
      return true
    })
  }

  loadDated(document: string): Promise<DatedDocument> {
    return this.#run(() => {
      const { tail, ...stored } = this.#storedOf(document)
      return { ...stored, tail: tail.map(({ seq, time, authors, update }) => ({ seq, time, authors, update })) }
    })
  }

  listSegments(document: string, place = Number.POSITIVE_INFINITY, limit: number): Promise<readonly Segment[]> {
    return this.#run(() => {
      const { segments = [] } = this.#database.documents.get(document) ?? {}
      const found = segments.filter((segment) => segment.place < place).toReversed()
      return found.slice(0, limit).map(({ place, first, last, since, until, isStart }) => {
        return { place, first, last, since, until, isStart }
      })
    })
  }

  async readSegment(document: string, place: number): Promise<readonly DatedEntry[] | undefined> {
    const found = await this.#run(() => this.#segmentOf(document, place))
    return found && decodeSegment(found.content)
  }

  async readStart(document: string, place: number): Promise<readonly Uint8Array[] | undefined> {
    const found = await this.#run(() => this.#segmentOf(document, place))
    return found?.isStart ? inflateAll(found.start) : undefined
  }

  expireHistory(time: number): Promise<void> {
    return this.#run(() => {
      for (const document of this.#database.documents.values()) {
        const last = expiredUpTo(document.segments, time) ?? 0
        document.segments = document.segments.filter(({ place }) => place > last)
      }
    })
  }

  nameVersion(document: string, version: NewNamedVersion): Promise<'named' | 'taken' | 'full' | 'missing'> {
    return this.#run(() => {
      const stored = this.#database.documents.get(document)
      if (!stored || lastStanding(version.incarnation, stored) < version.seq) return 'missing'
      if (stored.versions.has(version.name)) return 'taken'
      if (stored.versions.size >= MAX_NAMED_VERSIONS) return 'full'
      stored.versions.set(version.name, { ...version, update: new Uint8Array(version.update) })
      return 'named'
    })
  }

  listNamedVersions(document: string): Promise<readonly NamedVersion[]> {
    return this.#run(() => {
      const { versions = new Map<string, NewNamedVersion>() } = this.#database.documents.get(document) ?? {}
      const named = [...versions.values()].map(({ name, seq, namedAt, authors }) => ({ name, seq, namedAt, authors }))
      return named.sort((a, b) => inByteOrder(a.name, b.name))
    })
  }

  readNamedVersion(document: string, name: string): Promise<Uint8Array | undefined> {
    return this.#run(() => this.#database.documents.get(document)?.versions.get(name)?.update)
  }

  removeNamedVersion(document: string, name: string): Promise<boolean> {
    return this.#run(() => this.#database.documents.get(document)?.versions.delete(name) ?? false)
  }

  follow(document: string, after: number, onEntries: (part: LogPart) => void): Unfollow {
    const { documents, followers } = this.#database
    let { incarnation } = documents.get(document) ?? NO_LOG
    let { epoch } = this.#database
    let position = after
    let isTelling = false
    const tell = async () => {
      if (isTelling) return
      isTelling = true
      await this.#pause()
      isTelling = false
      const stored = documents.get(document)
      if (!this.#following.has(unfollow)) return
      const isLost = epoch !== this.#database.epoch && position > (stored?.head ?? 0)
      epoch = this.#database.epoch
      if (isLost) onEntries({ incarnation: 0, entries: [] })
      if (!stored && this.#deletionOf(document).isDeleted) onEntries({ incarnation: 0, entries: [], isDeleted: true })
      if (!stored) return
      if (isLost || lastStanding(incarnation, stored) < position) position = 0
      const entries = stored.tail.filter(({ seq, writer }) => seq > position && writer !== this)
      incarnation = stored.incarnation
      position = stored.head
      if (entries.length > 0) onEntries({ ...lineageOf(stored), entries: entries.map(plain) })
    }
    const ofDocument = followers.get(document) ?? new Set()
    const unfollow = () => {
      this.#following.delete(unfollow)
      ofDocument.delete(tell)
    }
    followers.set(document, ofDocument.add(tell))
    this.#following.add(unfollow)
    void tell()
    return unfollow
  }

  recall(document: string, id: Uint8Array): Promise<KnownWrite | undefined> {
    return this.#run(() => {
      const { incarnation } = this.#database.documents.get(document) ?? NO_LOG
      const ofDeletions = this.#database.deletionKeys.filter((key) => key.document === document)
      const deletion = this.#known(ofDeletions, id)
      if (deletion) return { ...NOWHERE, request: deletion.request }
      const found = this.#keyOf(document, id)
      return found && { incarnation, seq: found.seq, request: found.request }
    })
  }

  claim(cursor: string, document: string): Promise<CursorPlace | undefined> {
    return this.#run(() => {
      const found = this.#database.cursors.get(cursor)?.get(document)
      if (!found || !this.#mayTake(found)) return undefined
      found.holder = this
      const { seq, deletedAt, failure } = found
      if (deletedAt !== undefined) return { seq: 0, deletedAt, ...(failure && { failure }) }
      return { seq: seq ?? 0, ...(failure && { failure }) }
    })
  }

  advance(cursor: string, document: string, seq: number, incarnation: number): Promise<'told' | 'behind' | 'lost'> {
    return this.#run(() => {
      const stored = this.#database.documents.get(document) ?? NOTHING
      const ofCursor = this.#database.cursors.get(cursor)
      const found = ofCursor?.get(document)
      if (found?.holder !== this || found.deletedAt !== undefined || seq < (found.seq ?? 0)) return 'lost'
      if (seq > Math.min(stored.head, lastStanding(incarnation, stored))) return 'lost'
      found.seq = seq
      found.failure = undefined
      if (seq < stored.head) return 'behind'
      ofCursor?.delete(document)
      return 'told'
    })
  }

  untold(cursor: string, limit: number): Promise<readonly string[]> {
    return this.#run(() => {
      const now = this.#clock.now()
      const free = [...(this.#database.cursors.get(cursor) ?? [])].filter(
        ([, found]) => this.#mayTake(found) && isDue(found.failure, now),
      )
      const [own, others] = [true, false].map((isOwn) => free.filter(([, { holder }]) => (holder === this) === isOwn))
      return [...(others ?? []), ...(own ?? [])].map(([document]) => document).slice(0, limit)
    })
  }

  toldDeletion(cursor: string, document: string, deletedAt: number): Promise<'told' | 'behind' | 'lost'> {
    return this.#run(() => {
      const ofCursor = this.#database.cursors.get(cursor)
      const found = ofCursor?.get(document)
      if (found?.holder !== this || found.deletedAt !== deletedAt) return 'lost'
      found.deletedAt = undefined
      found.failure = undefined
      if (found.seq !== undefined) return 'behind'
      ofCursor?.delete(document)
      return 'told'
    })
  }

  postpone(cursor: string, document: string, failure: CursorFailure, deletedAt?: number): Promise<boolean> {
    return this.#run(() => {
      const found = this.#database.cursors.get(cursor)?.get(document)
      if (found?.holder !== this || found.deletedAt !== deletedAt) return false
      found.failure = { ...failure, reason: failure.reason.slice(0, MAX_REASON_LENGTH) }
      return true
    })
  }

  listPostponed(cursor: string, after: string | undefined, limit: number): Promise<readonly PostponedCursor[]> {
    return this.#run(() =>
      [...(this.#database.cursors.get(cursor) ?? [])]
        .flatMap(([document, { failure }]) => (failure ? [{ document, ...failure }] : []))
        .filter(({ document }) => after === undefined || inByteOrder(document, after) > 0)
        .sort((a, b) => inByteOrder(a.document, b.document))
        .slice(0, limit),
    )
  }

  retry(cursor: string, document?: string): Promise<void> {
    return this.#run(() => {
      for (const [name, found] of this.#database.cursors.get(cursor) ?? []) {
        if (document === undefined || name === document) found.failure = undefined
      }
    })
  }

  loadWebhooks(): Promise<readonly StoredWebhook[]> {
    return this.#run(() => [...this.#database.webhooks].map(([id, text]) => ({ id, text })))
  }

  storeWebhook({ id, text }: StoredWebhook): Promise<void> {
    return this.#run(() => {
      this.#database.webhooks.set(id, text)
      this.#tellOthers(this.#database.webhookFollowers)
    })
  }

  removeWebhook(id: string): Promise<boolean> {
    return this.#run(() => {
      const { webhooks, cursors, webhookFollowers } = this.#database
      const wasThere = webhooks.delete(id)
      for (const cursor of cursors.keys()) {
        const webhook = webhookOf(cursor)
        if (webhook !== undefined && !webhooks.has(webhook)) cursors.delete(cursor)
      }
      this.#tellOthers(webhookFollowers)
      return wasThere
    })
  }

  followWebhooks(onChange: () => void): Unfollow {
    return this.#followTable(this.#database.webhookFollowers, onChange)
  }

  stat(document: string): Promise<DocumentFacts | undefined> {
    return this.#run(() => {
      const stored = this.#database.documents.get(document)
      if (!stored) return undefined
      const { createdAt, updatedAt, head, snapshot, tail } = stored
      const tailBytes = sumBytes(tail.map(({ update }) => update))
      return {
        createdAt,
        updatedAt,
        head,
        snapshotBytes: sumBytes(snapshot?.chunks ?? []),
        tailEntries: tail.length,
        tailBytes,
      }
    })
  }

  list(prefix: string, cursor: string | undefined, limit: number): Promise<readonly string[]> {
    return this.#run(() => {
      const names = [...this.#database.documents.keys()].filter((name) => name.startsWith(prefix)).sort(inByteOrder)
      return names.filter((name) => cursor === undefined || inByteOrder(name, cursor) > 0).slice(0, limit)
    })
  }

  delete(document: string, request: DeletionRequest): Promise<boolean> {
    const { incarnation, head, formerClients, key, cursors = [] } = request
    return this.#run(() => {
      const stored = this.#database.documents.get(document)
      if (stored && incarnation !== undefined && lastStanding(incarnation, stored) === 0) return false
      if (stored && head !== undefined && head !== stored.head) return false
      const before = new Map(
        [...this.#database.cursors].map(([cursor, documents]) => [cursor, documents.get(document)]),
      )
      const untold = [...before.keys()].filter((cursor) => before.get(cursor)?.deletedAt !== undefined)
      this.#forget(document)
      this.#database.formerClients.set(document, new Uint8Array(formerClients))
      if (key) this.#database.deletionKeys.push({ ...key, document, seq: 0, time: this.#clock.now() })
      if (this.#database.deletionKeys.length > MAX_WRITE_KEYS) this.#database.deletionKeys.shift()
      for (const cursor of new Set([...cursors, ...untold])) {
        const { holder = this } = before.get(cursor) ?? {}
        const deletedAt = this.#clock.now()
        this.#cursorsOf(cursor).set(document, { seq: undefined, deletedAt, failure: undefined, holder })
      }
      for (const tell of this.#database.followers.get(document) ?? []) tell()
      return true
    })
  }

  listDeleted(cursor: string | undefined, limit: number): Promise<readonly DeletedDocument[]> {
    return this.#run(() => {
      const { documents, formerClients } = this.#database
      const deleted = [...formerClients].filter(([name]) => !documents.has(name))
      return deleted
        .map(([document, clients]) => ({ document, formerClients: clients }))
        .filter(({ document }) => cursor === undefined || inByteOrder(document, cursor) > 0)
        .sort((a, b) => inByteOrder(a.document, b.document))
        .slice(0, limit)
    })
  }

  remove(document: string): Promise<void> {
    return this.#run(() => {
      this.#forget(document)
      this.#database.formerClients.delete(document)
    })
  }

  loadRevocations(): Promise<readonly StoredRevocation[]> {
    return this.#run(() => [...this.#database.revocations.values()].sort((a, b) => a.time - b.time))
  }

  storeRevocations(revocations: readonly StoredRevocation[], forgotten: readonly string[]): Promise<void> {
    return this.#run(() => {
      for (const target of forgotten) this.#database.revocations.delete(target)
      for (const revocation of revocations) this.#database.revocations.set(revocation.target, revocation)
      this.#tellOthers(this.#database.revocationFollowers)
    })
  }

  followRevocations(onChange: () => void): Unfollow {
    return this.#followTable(this.#database.revocationFollowers, onChange)
  }

  #tellOthers(followers: ReadonlyMap<() => void, MemoryStorage>): void {
    for (const [tell, storage] of followers) if (storage !== this) setImmediate().then(tell)
  }

  #followTable(followers: Map<() => void, MemoryStorage>, onChange: () => void): Unfollow {
    const tell = () => {
      if (followers.has(tell)) onChange()
    }
    const unfollow = () => {
      followers.delete(tell)
      this.#following.delete(unfollow)
    }
    followers.set(tell, this)
    this.#following.add(unfollow)
    return unfollow
  }

  /** Runs steps one after the other in this storage; all that share the database see each as one step. */
  async #run<T>(step: () => T): Promise<T> {
    if (!this.#isOpen) throw new CoeditError('STORAGE_CLOSED', 'The storage is closed.')
    return this.#gate.run(async () => {
      await this.#pause()
      const result = step()
      await this.#pause()
      return result
    })
  }

  #storedOf(document: string): Omit<StoredDocument, 'tail'> & { readonly tail: readonly MemoryEntry[] } {
    const { head, snapshot, tail, ...lineage } = this.#database.documents.get(document) ?? NOTHING
    return { head, ...lineageOf(lineage), ...this.#deletionOf(document), snapshot, tail }
  }

  #segmentOf(document: string, place: number): MemorySegment | undefined {
    return this.#database.documents.get(document)?.segments.find((segment) => segment.place === place)
  }

  async #historyOf({ snapshot, tail, segments }: MemoryDocument, seq: number, rules: HistoryRules) {
    const entries = tail.filter((entry) => entry.seq <= seq)
    if (entries.length === 0) return undefined
    const chunks = snapshot?.chunks ?? []
    const before = { byteLength: sumBytes(chunks), chunks: async () => chunks }
    const last = segments.at(-1)
    const made = await makeHistory({ entries, before, last, rules })
    const place = (index: number) => (last?.place ?? 0) + 1 + index
    return {
      after: last?.place,
      segments: made.segments.map((segment, index) => {
        return { ...segment, place: place(index), start: index === 0 ? made.start : [] }
      }),
    }
  }

  #deletionOf(document: string): Deletion {
    const { documents, formerClients } = this.#database
    return deletionOf(formerClients.get(document), documents.has(document))
  }

  #forget(document: string): void {
    this.#database.documents.delete(document)
    for (const cursors of this.#database.cursors.values()) cursors.delete(document)
  }

  #mayTake({ holder }: MemoryCursor): boolean {
    return holder === this || !holder.#isOpen
  }

  #keyOf(document: string, id: Uint8Array): MemoryKey | undefined {
    return this.#known(this.#database.documents.get(document)?.keys ?? [], id)
  }

  #known(keys: readonly MemoryKey[], id: Uint8Array): MemoryKey | undefined {
    const since = this.#clock.now() - WRITE_KEY_MS
    return keys.find((key) => key.time > since && Buffer.compare(key.id, id) === 0)
  }

  #append(request: AppendRequest, written: Set<MemoryDocument>): Appended {
    const { document, update, base, cursors = [], keys = [], authors = new Uint8Array() } = request
    const stored = this.#database.documents.get(document) ?? this.#create(document)
    if (stored.epoch !== this.#database.epoch) this.#beginEpoch(stored)
    const between = written.has(stored) ? [] : entriesAfter(stored.tail, base)
    written.add(stored)
    for (const cursor of cursors) this.#begin(cursor, document, stored.head)
    stored.head += 1
    stored.updatedAt = this.#clock.now()
    const { head: seq, updatedAt: time } = stored
    stored.tail.push({ seq, time, authors: new Uint8Array(authors), update: new Uint8Array(update), writer: this })
    stored.keys = [...stored.keys, ...keys.map((key) => ({ ...key, seq, time }))].slice(-MAX_WRITE_KEYS)
    return { seq: stored.head, ...lineageOf(stored), between }
  }

  #begin(cursor: string, document: string, seq: number): void {
    const ofCursor = this.#cursorsOf(cursor)
    const found = ofCursor.get(document)
    if (found) found.seq ??= seq
    else ofCursor.set(document, { seq, deletedAt: undefined, failure: undefined, holder: this })
  }

  #cursorsOf(cursor: string): Map<string, MemoryCursor> {
    const ofCursor = this.#database.cursors.get(cursor) ?? new Map<string, MemoryCursor>()
    this.#database.cursors.set(cursor, ofCursor)
    return ofCursor
  }

  #beginEpoch(stored: MemoryDocument): void {
    const { incarnation, head, earlierIncarnations } = stored
    stored.earlierIncarnations = [{ incarnation, last: head }, ...earlierIncarnations]
    stored.incarnation = newIncarnation()
    stored.epoch = this.#database.epoch
  }

  #create(document: string): MemoryDocument {
    const now = this.#clock.now()
    const { epoch } = this.#database
    const own = { tail: [], versions: new Map<string, NewNamedVersion>() }
    const created = { ...NOTHING, ...own, epoch, incarnation: newIncarnation(), createdAt: now, updatedAt: now }
    this.#database.documents.set(document, created)
    return created
  }
}

/** Reaches all relays of a database, and loses nothing. */
class MemoryRelay implements Relay {
  readonly #database: MemoryDatabase
  readonly #pause: () => Promise<unknown>
  readonly #deliveries = new Serial()
  readonly #listeners = new Set<RelayListener>()
  #isClosed = false

  constructor(database: MemoryDatabase, pause: () => Promise<unknown>) {
    this.#database = database
    this.#pause = pause
  }

  async publish(message: Uint8Array): Promise<void> {
    if (this.#isClosed) return
    const copy = new Uint8Array(message)
    for (const relay of this.#database.relays) {
      for (const listener of relay.#listeners) relay.#report(listener, () => listener.onMessage(copy))
    }
    await this.#pause()
  }

  subscribe(listener: RelayListener): Unfollow {
    this.#listeners.add(listener)
    this.#database.relays.add(this)
    this.#report(listener, () => listener.onConnected())
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#isClosed = true
    this.#listeners.clear()
    this.#database.relays.delete(this)
  }

  #report(listener: RelayListener, report: () => void): void {
    void this.#deliveries.run(async () => {
      await this.#pause()
      if (this.#listeners.has(listener)) report()
    })
  }
}

const NOTHING: MemoryDocument = {
  ...NO_LOG,
  earlierIncarnations: [],
  epoch: 0,
  createdAt: 0,
  updatedAt: 0,
  snapshot: null,
  tail: [],
  keys: [],
  segments: [],
  versions: new Map(),
}

function newIncarnation(): number {
  return randomInt(1, 2 ** 48 - 1)
}

function plain({ seq, update }: LogEntry): LogEntry {
  return { seq, update }
}

function sumBytes(updates: readonly Uint8Array[]): number {
  return updates.reduce((sum, update) => sum + update.length, 0)
}

/** Compares names by their UTF-8, which JavaScript does not do by itself. */
function inByteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
