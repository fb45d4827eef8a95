import { CoeditError, goneError } from '../../common/errors.ts'
import { type Log, silentLog } from '../../common/log.ts'
import { Recent } from '../../common/recent.ts'
import { Serial } from '../../common/serial.ts'
import { type Clock, systemClock } from '../../common/timing.ts'
import { checkBase, deletionOf, entriesAfter, NOWHERE, partAfter } from '../log-part.ts'
import { deflate } from '../segments.ts'
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
  HistoryRules,
  KnownWrite,
  LogEntry,
  LogPart,
  NamedVersion,
  NewNamedVersion,
  PostponedCursor,
  Segment,
  Snapshot,
  Storage,
  StorageDamage,
  StorageStatus,
  StoredRevocation,
  StoredWebhook,
  Unfollow,
} from '../storage.ts'
import { webhookOf } from '../webhook-cursor.ts'
import { CursorTable, type Farewell, type Place, putCursor } from './cursor-table.ts'
import { Database, type Operation, type RawLevel } from './database.ts'
import { prepareFormat } from './format.ts'
import {
  dated,
  readDocumentsWithHistory,
  readEntries,
  readExpired,
  readHistory,
  readSegments,
  readStart,
} from './history.ts'
import { Openings, randomIncarnation } from './incarnation.ts'
import {
  deletionKey,
  documentRange,
  historyRange,
  MAX_DOCUMENT_ID,
  nameKey,
  nameOf,
  nameRange,
  writeKeyRange,
} from './keys.ts'
import { emptyMetadata, type Layout } from './layout.ts'
import { closedError } from './level-errors.ts'
import {
  type Position,
  readAll,
  readDeleted,
  readFacts,
  readFormerClients,
  readId,
  readLastId,
  readLayout,
  readLog,
  readPosition,
  searchId,
} from './lookup.ts'
import { putNamedVersion, readNamedVersion, readNamedVersions, removalOfNamed } from './named-versions.ts'
import { putDeletion, putEntry, putMetadata, putName, removeKey, removeQuarantined, repair } from './operations.ts'
import { Reclaimer } from './reclaimer.ts'
import { RevocationTable } from './revocation-table.ts'
import { SnapshotReplacer } from './snapshot-replacer.ts'
import { describe, type LevelDocument, NOTHING, toStored } from './stored.ts'
import { eraseWebhook, readWebhooks, writeWebhook } from './webhook-table.ts'
import { type NewKeys, WriteKeys } from './write-keys.ts'

export interface LevelStorageOptions {
  /** Where the database is; made with its parents when it does not exist. */
  readonly directory: string
  readonly clock?: Clock
  /** Default: silent. */
  readonly log?: Log
  /** A number from 1 to 2^48 that no earlier incarnation of the document had. Default: a random one. */
  readonly newIncarnation?: () => number
}

const NO_AUTHORS = new Uint8Array()

/** Positions of documents kept in memory, about 200 bytes each; the others are looked up when they are written. */
const MAX_POSITIONS = 10_000

/**
 * The embedded engine: a LevelDB directory that one process owns. Keys and records are described in level/keys.ts and
 * level/records.ts, how a failed write is survived in level/database.ts.
 *
 * Reads go straight to the database. Everything that writes passes the gate, one after the other.
 */
export class LevelStorage implements Storage {
  readonly isShared = false
  readonly #directory: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #newIncarnation: () => number
  readonly #database: Database
  readonly #openings: Openings
  readonly #reclaimer: Reclaimer
  readonly #replacer: SnapshotReplacer
  readonly #revocations: RevocationTable
  readonly #cursors: CursorTable
  readonly #keys: WriteKeys
  readonly #gate = new Serial()
  /** Compactions, and what must not happen within one. A job in it enters the gate for each of its writes. */
  readonly #maintenance = new Serial()
  readonly #maintained = new Set<string>()
  readonly #positions = new Recent<string, Position>(MAX_POSITIONS)
  /** The id of the next new document, once there was one. */
  #nextId: number | undefined
  #damagedRecords = 0
  #state: 'new' | 'open' | 'closing' = 'new'

  constructor({
    directory,
    clock = systemClock,
    log = silentLog,
    newIncarnation = randomIncarnation,
  }: LevelStorageOptions) {
    this.#directory = directory
    this.#clock = clock
    this.#log = log
    this.#newIncarnation = newIncarnation
    this.#database = new Database({ directory, clock, log })
    this.#openings = new Openings(this.#database, newIncarnation(), log)
    this.#reclaimer = new Reclaimer({ database: this.#database, gate: this.#gate, clock, log })
    this.#cursors = new CursorTable(this.#database, log)
    this.#keys = new WriteKeys(this.#database)
    this.#revocations = new RevocationTable({ database: this.#database, gate: this.#gate, clock, log })
    this.#replacer = new SnapshotReplacer({
      database: this.#database,
      reclaimer: this.#reclaimer,
      gate: this.#gate,
      isClosing: () => this.#state === 'closing',
      locate: (document) => this.#locate(document),
      incarnationOf: (document) => this.#openings.incarnationOf(document),
    })
  }

  get status(): StorageStatus {
    return this.#database.status
  }

  get damage(): StorageDamage {
    return { ...this.#database.damage, records: this.#damagedRecords, lostEntries: 0 }
  }

  /** May be called once. Rejects with STORAGE_DAMAGED too, where the database as a whole cannot be read. */
  async open(): Promise<void> {
    await this.#database.open()
    try {
      await prepareFormat(this.#database, this.#directory, this.#log)
      await this.#openings.start()
      await this.#cursors.load()
    } catch (error) {
      await this.#database.close()
      throw error
    }
    this.#state = 'open'
  }

  async load(document: string): Promise<LevelDocument> {
    this.#assertOpen()
    const found = await this.#find(document)
    const deletion = await this.#deletionOf(document, found !== undefined)
    if (found === 'damaged') {
      const repaired = await this.#gate.run(() => this.#repair(document))
      return { ...(repaired?.stored ?? NOTHING), ...deletion }
    }
    if (!found) return { ...NOTHING, ...deletion }
    if (found.leftovers.length > 0) this.#removeLeftovers(document)
    return { ...toStored(found, this.#openings), ...deletion }
  }

  async readAfter(document: string, after: number, maxBytes?: number): Promise<LogPart | null> {
    return partAfter(await this.load(document), after, maxBytes)
  }

  async append(batch: readonly AppendRequest[]): Promise<readonly Appended[]> {
    this.#assertOpen()
    return this.#gate.run(() => this.#append(batch))
  }

  async compact(
    document: string,
    snapshot: Snapshot,
    replaces: number,
    incarnation?: number,
    history?: HistoryRules,
  ): Promise<boolean> {
    this.#assertOpen()
    return this.#maintain(document, () => this.#replacer.compact(document, snapshot, replaces, incarnation, history))
  }

  async loadDated(document: string): Promise<DatedDocument> {
    this.#assertOpen()
    const found = await this.#find(document)
    if (typeof found === 'object') {
      const deletion = await this.#deletionOf(document, true)
      return { ...toStored(found, this.#openings), ...deletion, tail: found.tail.map(dated) }
    }
    // This repairs it.
    const { head, ...stored } = await this.load(document)
    return head > 0 ? this.loadDated(document) : { ...stored, head, tail: [] }
  }

  async listSegments(document: string, place: number | undefined, limit: number): Promise<readonly Segment[]> {
    return this.#ofHistory(document, (level, id) => readSegments(level, id, place, limit), [])
  }

  async readSegment(document: string, place: number): Promise<readonly DatedEntry[] | undefined> {
    return this.#ofHistory(document, (level, id) => readEntries(level, id, place), undefined)
  }

  async readStart(document: string, place: number): Promise<readonly Uint8Array[] | undefined> {
    return this.#ofHistory(document, (level, id) => readStart(level, id, place), undefined)
  }

  async expireHistory(time: number): Promise<void> {
    this.#assertOpen()
    for (const id of await this.#database.read(readDocumentsWithHistory)) {
      await this.#maintenance.run(async () => {
        const expired = await this.#database.read((level) => readExpired(level, id, time))
        if (!expired || this.#state !== 'open') return
        await this.#gate.run(() => this.#database.write(expired.keys.map(removeKey)))
        this.#reclaimer.removed(expired.bytes)
      })
    }
  }

  async nameVersion(document: string, version: NewNamedVersion): Promise<'named' | 'taken' | 'full' | 'missing'> {
    this.#assertOpen()
    const content = await deflate(version.update)
    return this.#gate.run(async () => {
      const position = await this.#locate(document)
      if (!position || version.incarnation !== this.#openings.incarnationOf(position.incarnation)) return 'missing'
      const operations = await this.#database.read((level) => putNamedVersion(level, position.id, version, content))
      if (typeof operations === 'string') return operations
      await this.#database.write(operations)
      return 'named'
    })
  }

  async listNamedVersions(document: string): Promise<readonly NamedVersion[]> {
    return this.#ofHistory(document, readNamedVersions, [])
  }

  async readNamedVersion(document: string, name: string): Promise<Uint8Array | undefined> {
    return this.#ofHistory(document, (level, id) => readNamedVersion(level, id, name), undefined)
  }

  async removeNamedVersion(document: string, name: string): Promise<boolean> {
    this.#assertOpen()
    return this.#gate.run(async () => {
      const position = await this.#locate(document)
      if (!position) return false
      const removals = await this.#database.read((level) => removalOfNamed(level, position.id, name))
      if (removals.length > 0) await this.#database.write(removals)
      return removals.length > 0
    })
  }

  /** Nobody else can write: the process owns the directory. */
  follow(): Unfollow {
    return () => undefined
  }

  async stat(document: string): Promise<DocumentFacts | undefined> {
    this.#assertOpen()
    const read = () => this.#database.read((level) => readFacts(level, document))
    const facts = await read()
    if (facts !== 'damaged') return facts
    await this.load(document)
    const repaired = await read()
    return repaired === 'damaged' ? undefined : repaired
  }

  async list(prefix: string, cursor: string | undefined, limit: number): Promise<readonly string[]> {
    this.#assertOpen()
    const { gte, lt } = nameRange(prefix)
    const after = cursor === undefined ? undefined : nameKey(cursor)
    const from = after && Buffer.compare(after, gte) >= 0 ? { gt: after } : { gte }
    const keys = await this.#database.read((level) => level.keys({ ...from, lt, limit }).all())
    return keys.map(nameOf)
  }

  async delete(document: string, request: DeletionRequest): Promise<boolean> {
    this.#assertOpen()
    const { incarnation, head, formerClients, key, cursors = [] } = request
    return this.#maintain(document, () =>
      this.#gate.run(async () => {
        const position = await this.#locate(document)
        const isAnother = position && incarnation !== this.#openings.incarnationOf(position.incarnation)
        if (incarnation !== undefined && isAnother) return false
        if (position && head !== undefined && head !== position.head) return false
        const deletion = { cursors, time: this.#clock.now() }
        const noted = key && (await this.#keys.noteDeletion(document, key, this.#clock.now()))
        await this.#remove(document, [putDeletion(document, formerClients), ...(noted?.operations ?? [])], deletion)
        if (noted) this.#keys.wrote(noted)
        // What was deleted is not to be found in the files either.
        if (!position) return true
        this.#reclaimer.erase(documentRange(position.id))
        this.#reclaimer.erase(historyRange(position.id))
        return true
      }),
    )
  }

  async listDeleted(cursor: string | undefined, limit: number): Promise<readonly DeletedDocument[]> {
    this.#assertOpen()
    return this.#database.read((level) => readDeleted(level, cursor, limit))
  }

  async remove(document: string): Promise<void> {
    this.#assertOpen()
    await this.#maintain(document, () =>
      this.#gate.run(() => this.#remove(document, [removeKey(deletionKey(document))])),
    )
  }

  async recall(document: string, id: Uint8Array): Promise<KnownWrite | undefined> {
    this.#assertOpen()
    const now = this.#clock.now()
    const deletion = await this.#keys.readDeletion(document, id, now)
    if (deletion) return { ...NOWHERE, request: deletion.request }
    const position = this.#positions.get(document) ?? (await this.#gate.run(() => this.#locate(document)))
    if (!position) return undefined
    const found = await this.#keys.read(position.id, id, now)
    // Where a damaged log was cut off, the write is gone.
    if (!found || found.seq > position.head) return undefined
    const { seq, request } = found
    return { incarnation: this.#openings.incarnationOf(position.incarnation), seq, request }
  }

  async claim(cursor: string, document: string): Promise<CursorPlace | undefined> {
    this.#assertOpen()
    const place = this.#cursors.get(cursor, document)
    if (!place) return undefined
    const position = this.#positions.get(document) ?? (await this.#gate.run(() => this.#locate(document)))
    // Where a damaged log was cut off, its numbers were given anew.
    return place.seq <= (position?.head ?? 0) ? place : { ...place, seq: 0 }
  }

  async advance(
    cursor: string,
    document: string,
    seq: number,
    incarnation: number,
  ): Promise<'told' | 'behind' | 'lost'> {
    this.#assertOpen()
    return this.#gate.run(async () => {
      const before = this.#cursors.get(cursor, document)
      const position = await this.#locate(document)
      if (!before || before.deletedAt !== undefined || !position || seq > position.head) return 'lost'
      if (incarnation !== this.#openings.incarnationOf(position.incarnation)) return 'lost'
      if (seq < position.head) await this.#cursors.move({ cursor, document, seq })
      else await this.#cursors.end(cursor, document)
      return seq < position.head ? 'behind' : 'told'
    })
  }

  async untold(cursor: string, limit: number): Promise<readonly string[]> {
    this.#assertOpen()
    return this.#cursors.due(cursor, this.#clock.now(), limit)
  }

  async toldDeletion(cursor: string, document: string, deletedAt: number): Promise<'told' | 'behind' | 'lost'> {
    this.#assertOpen()
    return this.#gate.run(async () => {
      if (this.#cursors.get(cursor, document)?.deletedAt !== deletedAt) return 'lost'
      return (await this.#cursors.endDeletion(cursor, document)) ? 'behind' : 'told'
    })
  }

  async postpone(cursor: string, document: string, failure: CursorFailure, deletedAt?: number): Promise<boolean> {
    this.#assertOpen()
    return this.#gate.run(async () => {
      const place = this.#cursors.get(cursor, document)
      if (!place || place.deletedAt !== deletedAt) return false
      await this.#cursors.postpone(cursor, document, failure)
      return true
    })
  }

  async listPostponed(cursor: string, after: string | undefined, limit: number): Promise<readonly PostponedCursor[]> {
    this.#assertOpen()
    const postponed = this.#cursors.postponed(cursor).map((found) => ({ ...found, key: nameKey(found.document) }))
    const from = after === undefined ? undefined : nameKey(after)
    return postponed
      .filter(({ key }) => from === undefined || Buffer.compare(key, from) > 0)
      .sort((a, b) => Buffer.compare(a.key, b.key))
      .slice(0, limit)
      .map(({ key, ...found }) => found)
  }

  async retry(cursor: string, document?: string): Promise<void> {
    this.#assertOpen()
    const isMeant = (name: string) => document === undefined || document === name
    await this.#gate.run(async () => {
      for (const { document: name } of this.#cursors.postponed(cursor)) {
        if (isMeant(name)) await this.#cursors.postpone(cursor, name, undefined)
      }
    })
  }

  async loadWebhooks(): Promise<readonly StoredWebhook[]> {
    this.#assertOpen()
    return readWebhooks(this.#database, this.#log)
  }

  async storeWebhook(webhook: StoredWebhook): Promise<void> {
    this.#assertOpen()
    return this.#gate.run(() => writeWebhook(this.#database, webhook))
  }

  async removeWebhook(id: string): Promise<boolean> {
    this.#assertOpen()
    return this.#gate.run(async () => {
      const wasThere = await eraseWebhook(this.#database, id)
      const others = new Set((await readWebhooks(this.#database, this.#log)).map((webhook) => webhook.id))
      for (const cursor of this.#cursors.names) {
        const webhook = webhookOf(cursor)
        if (webhook !== undefined && !others.has(webhook)) await this.#cursors.drop(cursor)
      }
      return wasThere
    })
  }

  async loadRevocations(): Promise<readonly StoredRevocation[]> {
    this.#assertOpen()
    return this.#revocations.load()
  }

  async storeRevocations(revocations: readonly StoredRevocation[], forgotten: readonly string[]): Promise<void> {
    this.#assertOpen()
    return this.#revocations.store(revocations, forgotten)
  }

  async close(): Promise<void> {
    if (this.#state === 'open') this.#state = 'closing'
    this.#database.giveUp()
    await this.#maintenance.idle()
    await this.#gate.idle()
    await this.#reclaimer.close()
    await this.#openings.close()
    await this.#database.close()
  }

  #assertOpen(): void {
    if (this.#state !== 'open') throw closedError()
  }

  /** Reads of the history of a document; `nothing` where there is no such document. */
  async #ofHistory<T>(document: string, read: (level: RawLevel, id: number) => Promise<T>, nothing: T): Promise<T> {
    this.#assertOpen()
    const position = this.#positions.get(document) ?? (await this.#gate.run(() => this.#locate(document)))
    return position ? this.#database.read((level) => read(level, position.id)) : nothing
  }

  async #deletionOf(document: string, isThere: boolean): Promise<Deletion> {
    return deletionOf(await this.#database.read((level) => readFormerClients(level, document)), isThere)
  }

  async #find(document: string): Promise<Layout | 'damaged' | undefined> {
    const id = await this.#database.read((level) => readId(level, document))
    if (id === 'damaged') return 'damaged'
    if (id === 'absent') return undefined
    const layout = await this.#database.read((level) => readLayout(level, id, document, this.#clock.now()))
    return layout?.isIntact === false ? 'damaged' : layout
  }

  /** Runs within the gate. */
  async #append(batch: readonly AppendRequest[]): Promise<readonly Appended[]> {
    const time = this.#clock.now()
    const operations: Operation[] = []
    const moved = new Map<string, Position>()
    const appended: Appended[] = []
    const begun: Place[] = []
    const known = new Map<string, NewKeys>()
    for (const request of batch) {
      const { document, update, cursors = [], keys = [], releases = [], authors = NO_AUTHORS } = request
      const earlier = moved.get(document)
      const before = earlier ?? (await this.#locate(document)) ?? (await this.#create(request, time, operations))
      const between = earlier ? [] : await this.#between(request, before)
      const after = { ...before, head: before.head + 1 }
      moved.set(document, after)
      operations.push(putEntry(after.id, after.head, { time, authors, update }))
      if (!earlier) begun.push(...this.#cursors.missing(cursors, document, before.head))
      const { keys: others = [] } = known.get(document) ?? {}
      const all = [...others, ...keys]
      if (all.length > 0) known.set(document, { name: document, document: after.id, seq: after.head, time, keys: all })
      for (const released of releases) operations.push(removeQuarantined(after.id, released))
      appended.push({ seq: after.head, incarnation: this.#openings.incarnationOf(after.incarnation), between })
    }
    const noted = []
    for (const added of known.values()) noted.push(await this.#keys.note(added))
    operations.push(...noted.flatMap((one) => one.operations))
    if (operations.length > 0) await this.#database.write([...operations, ...begun.map(putCursor)])
    for (const one of noted) this.#keys.wrote(one)
    this.#cursors.wrote(begun)
    for (const [document, position] of moved) this.#positions.set(document, position)
    return appended
  }

  async #between(request: AppendRequest, { id, incarnation, head }: Position): Promise<readonly LogEntry[]> {
    checkBase(request, { incarnation: this.#openings.incarnationOf(incarnation), head })
    if (request.base === head) return []
    return entriesAfter((await this.#database.read((level) => readLog(level, id))).entries, request.base)
  }

  /** Where a document is; undefined where it does not exist. Repairs what is damaged, hence within the gate. */
  async #locate(document: string): Promise<Position | undefined> {
    const known = this.#positions.get(document)
    if (known) return known
    const position = await this.#database.read((level) => readPosition(level, document))
    if (!position) return (await this.#repair(document))?.position
    this.#positions.set(document, position)
    return position
  }

  async #create({ document, anew }: AppendRequest, now: number, operations: Operation[]): Promise<Position> {
    const wasDeleted = await this.#database.read((level) => readFormerClients(level, document))
    if (wasDeleted && !anew) throw goneError(document)
    const id = this.#nextId ?? (await this.#database.read(readLastId)) + 1
    if (id > MAX_DOCUMENT_ID) throw new CoeditError('STORAGE_DAMAGED', `No document id is left in ${this.#directory}.`)
    this.#nextId = id + 1
    const incarnation = this.#newIncarnation()
    operations.push(putName(document, id), putMetadata(id, emptyMetadata(document, incarnation, now)))
    return { id, incarnation, head: 0 }
  }

  /** Makes the intact part of a document the document, within the gate. Undefined where there is none. */
  async #repair(document: string): Promise<{ position: Position; stored: LevelDocument } | undefined> {
    this.#positions.delete(document)
    const id = await this.#repairName(document)
    if (id === undefined) return undefined
    const read = () => this.#database.read((level) => readLayout(level, id, document, this.#clock.now()))
    const layout = await read()
    if (!layout) return undefined
    if (layout.isIntact) return describe(id, layout, this.#openings)
    this.#reportDamage(document, layout)
    await this.#database.write(repair(id, layout, this.#newIncarnation()))
    const repaired = describe(id, (await read()) ?? layout, this.#openings)
    this.#positions.set(document, repaired.position)
    return repaired
  }

  /** The id of a document; where its name record is damaged it is found by the document's metadata. */
  async #repairName(document: string): Promise<number | undefined> {
    const id = await this.#database.read((level) => readId(level, document))
    if (id === 'absent') return undefined
    if (id !== 'damaged') return id
    const found = await this.#database.read((level) => searchId(level, document))
    this.#damagedRecords += 1
    this.#log.error({ document, id: found }, 'the name record of a document was damaged')
    await this.#database.write([found === undefined ? removeKey(nameKey(document)) : putName(document, found)])
    return found
  }

  #reportDamage(document: string, { damaged, cutOff, metadata }: Layout): void {
    this.#damagedRecords += damaged.length + cutOff.length
    const facts = { document, damaged: damaged.length, cutOff: cutOff.length, snapshotSeq: metadata.snapshotSeq }
    this.#log.error(facts, 'a document is damaged: its intact part is served, what follows is quarantined')
  }

  /**
   * Runs within the gate.
   * @param and what else is written in the same step
   * @param deletion which cursors tell of it
   */
  async #remove(document: string, and: readonly Operation[], deletion?: Farewell): Promise<void> {
    const position = await this.#locate(document)
    const cursors = this.#cursors.removing(document, deletion)
    if (!position) {
      await this.#database.write([...cursors, ...and])
      this.#cursors.removed(document, deletion)
      return
    }
    const { keys, bytes } = await this.#database.read((level) => readAll(level, position.id))
    const written = await this.#database.read((level) => level.keys({ ...writeKeyRange(position.id) }).all())
    const history = await this.#database.read((level) => readHistory(level, position.id))
    const removals = [nameKey(document), ...keys, ...written, ...history.keys].map(removeKey)
    await this.#database.write([...removals, ...cursors, ...and])
    this.#cursors.removed(document, deletion)
    this.#positions.delete(document)
    this.#reclaimer.removed(bytes + history.bytes)
  }

  #removeLeftovers(document: string): void {
    if (this.#maintained.has(document)) return // a compaction under way: its chunks are not left over
    this.#maintain(document, () => this.#replacer.removeLeftovers(document)).catch((error: unknown) => {
      if (this.#state === 'closing') return // given up: the next load removes them
      this.#log.warn({ err: error, document }, 'what an interrupted compaction left could not be removed')
    })
  }

  #maintain<T>(document: string, job: () => Promise<T>): Promise<T> {
    return this.#maintenance.run(async () => {
      this.#maintained.add(document)
      try {
        return await job()
      } finally {
        this.#maintained.delete(document)
      }
    })
  }
}
