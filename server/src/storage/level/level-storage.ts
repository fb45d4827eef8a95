import { CoeditError, goneError } from '../../common/errors.ts'
import { type Log, silentLog } from '../../common/log.ts'
import { Serial } from '../../common/serial.ts'
import { type Clock, systemClock } from '../../common/timing.ts'
import type { DeletedDocument, DeletionRequest, DocumentFacts } from '../catalog.ts'
import type { CursorStore } from '../cursor-store.ts'
import type {
  Appended,
  AppendRequest,
  CompactionRequest,
  KnownWrite,
  LogEntry,
  LogPart,
  Snapshot,
  Unfollow,
} from '../document-store.ts'
import type { HistoryStore } from '../history-store.ts'
import { checkBase, entriesAfter, NOWHERE, partAfter } from '../log-part.ts'
import type { RevocationStore } from '../revocation-store.ts'
import type { Storage, StorageDamage, StorageStatus } from '../storage.ts'
import type { WebhookStore } from '../webhook-store.ts'
import { CursorTable, type Farewell, type Place, putCursor } from './cursor-table.ts'
import { Cursors } from './cursors.ts'
import { Database, type Operation } from './database.ts'
import { DocumentTable } from './document-table.ts'
import { prepareFormat } from './format.ts'
import { readHistory } from './history.ts'
import { HistoryTable } from './history-table.ts'
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
import { emptyMetadata } from './layout.ts'
import { closedError } from './level-errors.ts'
import {
  type Position,
  readAll,
  readDeleted,
  readDeletion,
  readFacts,
  readFormerClients,
  readLastId,
  readLog,
} from './lookup.ts'
import { putDeletion, putEntry, putMetadata, putName, putSnapshot, removeKey, removeQuarantined } from './operations.ts'
import { Reclaimer } from './reclaimer.ts'
import { RevocationTable } from './revocation-table.ts'
import { SnapshotReplacer, snapshotMetadata } from './snapshot-replacer.ts'
import { type LevelDocument, NOTHING, toStored } from './stored.ts'
import { WebhookTable } from './webhook-table.ts'
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

/**
 * The embedded engine: a LevelDB directory that one process owns. Keys and records are described in level/keys.ts and
 * level/records.ts, how a failed write is survived in level/database.ts.
 *
 * Reads go straight to the database. Everything that writes passes the gate, one after the other.
 */
export class LevelStorage implements Storage {
  readonly isShared = false
  readonly history: HistoryStore
  readonly cursors: CursorStore
  readonly webhooks: WebhookStore
  readonly revocations: RevocationStore
  readonly #directory: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #newIncarnation: () => number
  readonly #database: Database
  readonly #openings: Openings
  readonly #reclaimer: Reclaimer
  readonly #replacer: SnapshotReplacer
  readonly #documents: DocumentTable
  readonly #cursorTable: CursorTable
  readonly #keys: WriteKeys
  readonly #gate = new Serial()
  /** Compactions, and what must not happen within one. A job in it enters the gate for each of its writes. */
  readonly #maintenance = new Serial()
  readonly #maintained = new Set<string>()
  /** The id of the next new document, once there was one. */
  #nextId: number | undefined
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
    const [database, openings, reclaimer, gate] = [this.#database, this.#openings, this.#reclaimer, this.#gate]
    this.#documents = new DocumentTable({ database, gate, clock, log, newIncarnation })
    this.#cursorTable = new CursorTable(database, log)
    this.#keys = new WriteKeys(database)
    const documents = this.#documents
    const context = { database, openings, documents, gate, clock, assertOpen: () => this.#assertOpen() }
    this.history = new HistoryTable({ ...context, reclaimer, maintenance: this.#maintenance })
    this.cursors = new Cursors({ ...context, table: this.#cursorTable })
    this.webhooks = new WebhookTable({ ...context, log, cursors: this.#cursorTable })
    this.revocations = new RevocationTable({ ...context, log })
    this.#replacer = new SnapshotReplacer({
      database,
      openings,
      documents,
      reclaimer,
      gate,
      isClosing: () => this.#state === 'closing',
    })
  }

  get status(): StorageStatus {
    return this.#database.status
  }

  get damage(): StorageDamage {
    return { ...this.#database.damage, records: this.#documents.damagedRecords, lostEntries: 0 }
  }

  /** May be called once. Rejects with STORAGE_DAMAGED too, where the database as a whole cannot be read. */
  async open(): Promise<void> {
    await this.#database.open()
    try {
      await prepareFormat(this.#database, this.#directory, this.#log)
      await this.#openings.start()
      await this.#cursorTable.load()
    } catch (error) {
      await this.#database.close()
      throw error
    }
    this.#state = 'open'
  }

  async load(document: string): Promise<LevelDocument> {
    this.#assertOpen()
    const found = await this.#documents.find(document)
    const deletion = await this.#database.read((level) => readDeletion(level, document, found !== undefined))
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

  async compact(document: string, request: CompactionRequest): Promise<boolean> {
    this.#assertOpen()
    return this.#maintain(document, () => this.#replacer.compact(document, request))
  }

  async storeSnapshot(document: string, snapshot: Snapshot): Promise<void> {
    this.#assertOpen()
    await this.#gate.run(async () => {
      if (await this.#documents.locate(document)) return
      const now = this.#clock.now()
      const operations: Operation[] = []
      const { id, incarnation } = await this.#create({ document, anew: true }, now, operations)
      const metadata = snapshotMetadata(emptyMetadata(document, incarnation, now), snapshot, now)
      operations.push(putMetadata(id, metadata), ...putSnapshot(id, metadata.generation, snapshot))
      await this.#database.write(operations)
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
        const position = await this.#documents.locate(document)
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
    const position = await this.#documents.positionOf(document)
    if (!position) return undefined
    const found = await this.#keys.read(position.id, id, now)
    // Where a damaged log was cut off, the write is gone.
    if (!found || found.seq > position.head) return undefined
    const { seq, request } = found
    return { incarnation: this.#openings.incarnationOf(position.incarnation), seq, request }
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
      const before =
        earlier ?? (await this.#documents.locate(document)) ?? (await this.#create(request, time, operations))
      const between = earlier ? [] : await this.#between(request, before)
      const after = { ...before, head: before.head + 1 }
      moved.set(document, after)
      operations.push(putEntry(after.id, after.head, { time, authors, update }))
      if (!earlier) begun.push(...this.#cursorTable.missing(cursors, document, before.head))
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
    this.#cursorTable.wrote(begun)
    for (const [document, position] of moved) this.#documents.moved(document, position)
    return appended
  }

  async #between(request: AppendRequest, { id, incarnation, head }: Position): Promise<readonly LogEntry[]> {
    checkBase(request, { incarnation: this.#openings.incarnationOf(incarnation), head })
    if (request.base === head) return []
    return entriesAfter((await this.#database.read((level) => readLog(level, id))).entries, request.base)
  }

  async #create(
    { document, anew }: Pick<AppendRequest, 'document' | 'anew'>,
    now: number,
    operations: Operation[],
  ): Promise<Position> {
    const wasDeleted = await this.#database.read((level) => readFormerClients(level, document))
    if (wasDeleted && !anew) throw goneError(document)
    const id = this.#nextId ?? (await this.#database.read(readLastId)) + 1
    if (id > MAX_DOCUMENT_ID) throw new CoeditError('STORAGE_DAMAGED', `No document id is left in ${this.#directory}.`)
    this.#nextId = id + 1
    const incarnation = this.#newIncarnation()
    operations.push(putName(document, id), putMetadata(id, emptyMetadata(document, incarnation, now)))
    return { id, incarnation, head: 0 }
  }

  /**
   * Runs within the gate.
   * @param and what else is written in the same step
   * @param deletion which cursors tell of it
   */
  async #remove(document: string, and: readonly Operation[], deletion?: Farewell): Promise<void> {
    const position = await this.#documents.locate(document)
    const cursors = this.#cursorTable.removing(document, deletion)
    if (!position) {
      await this.#database.write([...cursors, ...and])
      this.#cursorTable.removed(document, deletion)
      return
    }
    const { keys, bytes } = await this.#database.read((level) => readAll(level, position.id))
    const written = await this.#database.read((level) => level.keys({ ...writeKeyRange(position.id) }).all())
    const history = await this.#database.read((level) => readHistory(level, position.id))
    const removals = [nameKey(document), ...keys, ...written, ...history.keys].map(removeKey)
    await this.#database.write([...removals, ...cursors, ...and])
    this.#cursorTable.removed(document, deletion)
    this.#documents.removed(document)
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
