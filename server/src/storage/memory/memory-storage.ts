import { randomInt } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { type Clock, systemClock } from '../../common/timing.ts'
import type { DeletedDocument, DeletionRequest, DocumentFacts } from '../catalog.ts'
import type {
  Appended,
  AppendRequest,
  CompactionRequest,
  HistoryRules,
  KnownWrite,
  LogEntry,
  LogPart,
  Snapshot,
  StoredDocument,
  Unfollow,
} from '../document-store.ts'
import type { NewNamedVersion } from '../history-store.ts'
import { MAX_WRITE_KEYS, WRITE_KEY_MS } from '../limits.ts'
import { lastStanding, lineageOf } from '../lineage.ts'
import { checkBase, entriesAfter, knownKeyError, NO_LOG, NOWHERE, partAfter } from '../log-part.ts'
import { makeHistory } from '../segments.ts'
import type { Storage, StorageDamage, StorageStatus } from '../storage.ts'
import { MemoryAccess } from './access.ts'
import { MemoryCursors } from './cursors.ts'
import { inByteOrder, MemoryDatabase, type MemoryDocument, type MemoryKey, NOTHING, storedIn } from './database.ts'
import { MemoryHistory } from './history.ts'
import { MemoryRelay } from './relay.ts'
import { MemoryRevocations } from './revocations.ts'
import { MemoryWebhooks } from './webhooks.ts'

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
  readonly history: MemoryHistory
  readonly cursors: MemoryCursors
  readonly webhooks: MemoryWebhooks
  readonly revocations: MemoryRevocations
  readonly relay: MemoryRelay
  readonly #database: MemoryDatabase
  readonly #clock: Clock
  readonly #access: MemoryAccess

  constructor({
    database = new MemoryDatabase(),
    clock = systemClock,
    pause = setImmediate,
  }: MemoryStorageOptions = {}) {
    this.#database = database
    this.#clock = clock
    this.#access = new MemoryAccess(database, clock, pause)
    this.history = new MemoryHistory(this.#access)
    this.cursors = new MemoryCursors(this.#access)
    this.webhooks = new MemoryWebhooks(this.#access)
    this.revocations = new MemoryRevocations(this.#access)
    this.relay = new MemoryRelay(database, pause)
  }

  async open(): Promise<void> {
    this.#access.open()
  }

  async close(): Promise<void> {
    this.relay.close()
    await this.#access.close()
  }

  load(document: string): Promise<StoredDocument> {
    return this.#access.run(() => {
      const { tail, ...stored } = storedIn(this.#database, document)
      return { ...stored, tail: tail.map(plain) }
    })
  }

  async readAfter(document: string, after: number, maxBytes?: number): Promise<LogPart | null> {
    return partAfter(await this.load(document), after, maxBytes)
  }

  append(batch: readonly AppendRequest[]): Promise<readonly Appended[]> {
    return this.#access.run(() => {
      for (const request of batch) {
        checkBase(request, storedIn(this.#database, request.document))
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

  async compact(document: string, { snapshot, replaces, incarnation, history }: CompactionRequest): Promise<boolean> {
    const before = this.#database.documents.get(document)
    const made = history && before && (await this.#historyOf(before, snapshot.seq, history))
    return this.#access.run(() => {
      const stored = this.#database.documents.get(document)
      if (!stored || (stored.snapshot?.seq ?? 0) !== replaces) return false
      if (incarnation !== undefined && lastStanding(incarnation, stored) < snapshot.seq) return false
      if (snapshot.seq < replaces || snapshot.seq > stored.head) return false
      if (made && (stored !== before || stored.segments.at(-1)?.place !== made.after)) return false
      stored.snapshot = copyOf(snapshot)
      stored.tail = stored.tail.filter(({ seq }) => seq > snapshot.seq)
      stored.segments = [...stored.segments, ...(made?.segments ?? [])]
      return true
    })
  }

  storeSnapshot(document: string, snapshot: Snapshot): Promise<void> {
    return this.#access.run(() => {
      if (this.#database.documents.has(document)) return
      const stored = this.#create(document)
      stored.snapshot = copyOf(snapshot)
      stored.head = snapshot.seq
    })
  }

  follow(document: string, after: number, onEntries: (part: LogPart) => void): Unfollow {
    const { documents, followers } = this.#database
    const { following } = this.#access
    let { incarnation } = documents.get(document) ?? NO_LOG
    let { epoch } = this.#database
    let position = after
    let isTelling = false
    const tell = async () => {
      if (isTelling) return
      isTelling = true
      await this.#access.pause()
      isTelling = false
      const stored = documents.get(document)
      if (!following.has(unfollow)) return
      const isLost = epoch !== this.#database.epoch && position > (stored?.head ?? 0)
      epoch = this.#database.epoch
      if (isLost) onEntries({ incarnation: 0, entries: [] })
      if (storedIn(this.#database, document).isDeleted) onEntries({ incarnation: 0, entries: [], isDeleted: true })
      if (!stored) return
      if (isLost || lastStanding(incarnation, stored) < position) position = 0
      const entries = stored.tail.filter(({ seq, writer }) => seq > position && writer !== this.#access)
      incarnation = stored.incarnation
      position = stored.head
      if (entries.length > 0) onEntries({ ...lineageOf(stored), entries: entries.map(plain) })
    }
    const ofDocument = followers.get(document) ?? new Set()
    const unfollow = () => {
      following.delete(unfollow)
      ofDocument.delete(tell)
    }
    followers.set(document, ofDocument.add(tell))
    following.add(unfollow)
    void tell()
    return unfollow
  }

  recall(document: string, id: Uint8Array): Promise<KnownWrite | undefined> {
    return this.#access.run(() => {
      const { incarnation } = this.#database.documents.get(document) ?? NO_LOG
      const ofDeletions = this.#database.deletionKeys.filter((key) => key.document === document)
      const deletion = this.#known(ofDeletions, id)
      if (deletion) return { ...NOWHERE, request: deletion.request }
      const found = this.#keyOf(document, id)
      return found && { incarnation, seq: found.seq, request: found.request }
    })
  }

  stat(document: string): Promise<DocumentFacts | undefined> {
    return this.#access.run(() => {
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
    return this.#access.run(() => {
      const names = [...this.#database.documents.keys()].filter((name) => name.startsWith(prefix)).sort(inByteOrder)
      return names.filter((name) => cursor === undefined || inByteOrder(name, cursor) > 0).slice(0, limit)
    })
  }

  delete(document: string, request: DeletionRequest): Promise<boolean> {
    const { incarnation, head, formerClients, key, cursors = [] } = request
    return this.#access.run(() => {
      const stored = this.#database.documents.get(document)
      if (stored && incarnation !== undefined && lastStanding(incarnation, stored) === 0) return false
      if (stored && head !== undefined && head !== stored.head) return false
      this.#database.documents.delete(document)
      this.#database.formerClients.set(document, new Uint8Array(formerClients))
      if (key) this.#database.deletionKeys.push({ ...key, document, seq: 0, time: this.#clock.now() })
      if (this.#database.deletionKeys.length > MAX_WRITE_KEYS) this.#database.deletionKeys.shift()
      this.cursors.deleted(document, cursors)
      for (const tell of this.#database.followers.get(document) ?? []) tell()
      return true
    })
  }

  listDeleted(cursor: string | undefined, limit: number): Promise<readonly DeletedDocument[]> {
    return this.#access.run(() => {
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
    return this.#access.run(() => {
      this.#database.documents.delete(document)
      this.cursors.forget(document)
      this.#database.formerClients.delete(document)
    })
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
    this.cursors.begin(cursors, document, stored.head)
    stored.head += 1
    stored.updatedAt = this.#clock.now()
    const { head: seq } = stored
    const time = Math.floor(stored.updatedAt)
    stored.tail.push({
      seq,
      time,
      authors: new Uint8Array(authors),
      update: new Uint8Array(update),
      writer: this.#access,
    })
    stored.keys = [...stored.keys, ...keys.map((key) => ({ ...key, seq, time }))].slice(-MAX_WRITE_KEYS)
    return { seq: stored.head, ...lineageOf(stored), between }
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

function newIncarnation(): number {
  return randomInt(1, 2 ** 48 - 1)
}

function copyOf(snapshot: Snapshot): Snapshot {
  return { ...snapshot, chunks: snapshot.chunks.map((chunk) => new Uint8Array(chunk)) }
}

function plain({ seq, update }: LogEntry): LogEntry {
  return { seq, update }
}

function sumBytes(updates: readonly Uint8Array[]): number {
  return updates.reduce((sum, update) => sum + update.length, 0)
}
