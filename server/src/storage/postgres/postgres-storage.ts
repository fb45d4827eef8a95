import { randomUUID } from 'node:crypto'
import { hasCode } from '../../common/errors.ts'
import { type Log, silentLog } from '../../common/log.ts'
import { Serial } from '../../common/serial.ts'
import { type Cancel, type Clock, systemClock } from '../../common/timing.ts'
import type { DeletedDocument, DeletionRequest, DocumentFacts } from '../catalog.ts'
import type { CursorStore } from '../cursor-store.ts'
import type {
  Appended,
  AppendListener,
  AppendRequest,
  CompactionRequest,
  KnownWrite,
  LogPart,
  Snapshot,
  StoredDocument,
  Unfollow,
} from '../document-store.ts'
import type { HistoryStore } from '../history-store.ts'
import { WRITE_KEY_MS } from '../limits.ts'
import { lineageOf } from '../lineage.ts'
import { NO_LOG } from '../log-part.ts'
import type { Relay } from '../relay.ts'
import type { Storage, StorageDamage, StorageStatus } from '../storage.ts'
import { Announcer } from './announcer.ts'
import { type AppendedBatch, Appender } from './appender.ts'
import type { Broadcast, Channel } from './broadcast.ts'
import { Cursors } from './cursors.ts'
import { Followers } from './followers.ts'
import { decodeHints, hintsOf } from './hints.ts'
import { HistoryTable } from './history-table.ts'
import { Holder } from './holder.ts'
import { Lane } from './lane.ts'
import { Dialer, type Link, type Run, Timelines } from './link.ts'
import { Listener } from './listener.ts'
import { expectSchema, prepareSchema } from './migrate.ts'
import { closedError, translated, unreachableError } from './pg-errors.ts'
import {
  ofDeletion,
  readDeleted,
  readDocument,
  readFacts,
  readFrom,
  readHeads,
  readNames,
  readScope,
  readWrite,
} from './reading.ts'
import { RedisBroadcast } from './redis.ts'
import { BroadcastRelay } from './relay.ts'
import { RevocationTable } from './revocation-table.ts'
import { checkRights, checkServer, MAX_CONNECTIONS, tellRisks } from './self-test.ts'
import { SnapshotTable } from './snapshot-table.ts'
import { targetsOf } from './target.ts'
import { WebhookTable } from './webhook-table.ts'

export interface PostgresStorageOptions {
  /** `postgres://…`; several hosts have commas between them. */
  readonly url: string
  /**
   * The same past a pool that hands out connections by transaction, through which nobody can listen. Default: `url`.
   */
  readonly directUrl?: string
  /** A Redis by which the nodes tell each other, `redis://…`. Default: they do so by the database itself. */
  readonly hintsUrl?: string
  readonly clock?: Clock
  /** Default: silent. */
  readonly log?: Log
  /**
   * Whether documents are served from it. Otherwise it makes no schema where there is none, and does not listen:
   * nothing is followed. Default true.
   */
  readonly serves?: boolean
}

/** Connections that read, and do all else but append, tell others and listen: each node has three more. */
const MAX_READERS = MAX_CONNECTIONS - 3
/** How often what this node knows is compared with the database, in milliseconds. */
const CHECK_MS = 2_000
const DELETE = 'SELECT coedit.delete($1, $2, $3, $4, $5, $6, $7) AS done'
/** Keys of deletions are those of a document 0, which there is not. They are kept for as long as those of writes. */
const DELETE_WITH_KEY = `
WITH deleted AS MATERIALIZED (${DELETE}),
noted AS (
  INSERT INTO coedit.keys (document, id, request, seq, time) SELECT 0, $8::bytea, $9::bytea, floor($7::float8)::bigint, $7 FROM deleted WHERE done
  ON CONFLICT (document, id) DO UPDATE SET request = excluded.request, seq = excluded.seq, time = excluded.time
),
outdated AS (DELETE FROM coedit.keys k WHERE k.document = 0 AND k.seq < $10::float8 AND k.id <> $8)
SELECT done FROM deleted`

/**
 * The engine PostgreSQL, which any number of servers share. All of it lies in the schema `coedit`, which
 * postgres/schema.ts describes.
 *
 * Whatever fails because the database cannot be used is repeated until it can: every statement is safe to repeat. The
 * database is the only truth; what nodes tell each other is for speed.
 */
export class PostgresStorage implements Storage {
  readonly isShared = true
  readonly history: HistoryStore
  readonly cursors: CursorStore
  readonly webhooks: WebhookTable
  readonly revocations: RevocationTable
  readonly #clock: Clock
  readonly #log: Log
  readonly #serves: boolean
  /** By which this node knows its own notifications. */
  readonly #sender = randomUUID()
  readonly #appends: Lane
  readonly #reads: Lane
  /** What tells others must not stand behind long reads and compactions. */
  readonly #tells: Lane
  readonly #appender: Appender
  readonly #holder: Holder
  readonly #snapshots: SnapshotTable
  readonly #announcer: Announcer
  readonly #followers: Followers
  readonly #relay: BroadcastRelay
  readonly #broadcast: Broadcast
  readonly #listeners = new Set<AppendListener>()
  readonly #gate = new Serial()
  #damagedRecords = 0
  #lostEntries = 0
  #nextCheck: Cancel | undefined
  #state: 'new' | 'open' | 'closed' = 'new'

  /** @throws CoeditError OPTION_INVALID for a URL that is none */
  constructor({
    url,
    directUrl = url,
    hintsUrl = '',
    clock = systemClock,
    log = silentLog,
    serves = true,
  }: PostgresStorageOptions) {
    const timelines = new Timelines()
    const dialer = (address: string, role: string) => new Dialer(targetsOf(address, role), clock, timelines)
    this.#clock = clock
    this.#log = log
    this.#serves = serves
    this.#appends = new Lane({ dialer: dialer(url, 'append'), max: 1, isPrompt: true, clock, log })
    this.#reads = new Lane({ dialer: dialer(url, 'read'), max: MAX_READERS, clock, log })
    this.#tells = new Lane({ dialer: dialer(url, 'tell'), max: 1, clock, log })
    const holder = new Holder({ clock, log, run: (work) => this.#read(work) })
    this.#holder = holder
    const sender = hintsUrl === '' ? this.#sender : undefined
    this.#appender = new Appender({ lane: this.#appends, sender, holder: () => holder.alive(), clock, log })
    this.#broadcast =
      hintsUrl === ''
        ? new Listener({ dialer: dialer(directUrl, 'listen'), lane: this.#tells, clock, log })
        : new RedisBroadcast({ url: hintsUrl, log, scope: () => this.#read(readScope) })
    this.#announcer = new Announcer(this.#sender, this.#broadcast, log)
    this.#followers = new Followers({
      clock,
      log,
      readHeads: (documents) => this.#read((link) => readHeads(link, documents)),
      readFrom: (document, after) => this.#read((link) => readFrom(link, document, after)),
      settled: () => this.#gate.idle(),
      onLost: (document, entries) => this.#noteLoss(document, entries),
    })
    const run: Run = async (work) => {
      this.#assertOpen()
      return this.#read(work)
    }
    this.#snapshots = new SnapshotTable(run, clock)
    this.history = new HistoryTable(run)
    this.cursors = new Cursors({ clock, holder, run, assertOpen: () => this.#assertOpen() })
    this.webhooks = new WebhookTable(run)
    this.revocations = new RevocationTable(run, () => this.#tellOfRevocations())
    this.#relay = new BroadcastRelay(this.#sender, this.#broadcast, log)
  }

  get relay(): Relay {
    return this.#relay
  }

  get status(): StorageStatus {
    return this.#appends.status.state === 'ok' ? this.#reads.status : this.#appends.status
  }

  get damage(): StorageDamage {
    return { droppedBytes: 0, records: this.#damagedRecords, failedReads: 0, lostEntries: this.#lostEntries }
  }

  /**
   * May be called once. Rejects with STORAGE_UNREACHABLE, STORAGE_UNSUITABLE, STORAGE_OUTDATED, STORAGE_DENIED and
   * STORAGE_MISSING, too.
   */
  async open(): Promise<void> {
    try {
      await this.#reads.once((link) => this.#prepare(link))
    } catch (error) {
      this.#reads.giveUp()
      await this.#reads.close()
      throw unreachableError(error)
    }
    this.#state = 'open'
    if (!this.#serves) return
    await this.#followers.start()
    this.#broadcast.start({
      onPayload: (channel, payload) => this.#hear(channel, payload),
      onListening: () => {
        this.#relay.connected()
        this.#check()
        for (const { onMissed } of this.#listeners) onMissed()
      },
      onDeaf: () => this.#relay.disconnected(),
    })
    this.#checkLater()
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    this.#nextCheck?.()
    this.#followers.close()
    await this.#broadcast.stop()
    for (const lane of [this.#appends, this.#reads, this.#tells]) lane.giveUp()
    await this.#gate.idle()
    await this.#holder.close()
    await this.#appender.close()
    await Promise.all([this.#appends.close(), this.#reads.close(), this.#tells.close()])
  }

  async load(document: string): Promise<StoredDocument> {
    this.#assertOpen()
    return this.#read((link) => readDocument(link, document))
  }

  async readAfter(document: string, after: number, maxBytes?: number): Promise<LogPart | null> {
    this.#assertOpen()
    const part = await this.#read((link) => readFrom(link, document, after, maxBytes))
    if (!part) return after === 0 ? { incarnation: NO_LOG.incarnation, entries: [] } : null
    const { entries, head, first } = part
    return after > head || after < first ? null : { ...lineageOf(part), entries }
  }

  async append(batch: readonly AppendRequest[]): Promise<readonly Appended[]> {
    this.#assertOpen()
    if (batch.length === 0) return []
    return this.#gate.run(async () => {
      const { appended, isTold } = await this.#append(batch)
      this.#followers.wrote(batch, appended)
      if (!isTold) this.#announcer.announce(hintsOf(batch, appended))
      return appended
    })
  }

  compact(document: string, request: CompactionRequest): Promise<boolean> {
    return this.#snapshots.compact(document, request)
  }

  storeSnapshot(document: string, snapshot: Snapshot): Promise<void> {
    return this.#snapshots.store(document, snapshot)
  }

  follow(document: string, after: number, onEntries: (part: LogPart) => void): Unfollow {
    return this.#followers.add(document, after, onEntries)
  }

  followAll(listener: AppendListener): Unfollow {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async recall(document: string, id: Uint8Array): Promise<KnownWrite | undefined> {
    this.#assertOpen()
    const since = this.#clock.now() - WRITE_KEY_MS
    return this.#read((link) => readWrite(link, document, id, since))
  }

  async stat(document: string): Promise<DocumentFacts | undefined> {
    this.#assertOpen()
    return this.#read((link) => readFacts(link, document))
  }

  async list(prefix: string, cursor: string | undefined, limit: number): Promise<readonly string[]> {
    this.#assertOpen()
    return this.#read((link) => readNames(link, prefix, cursor, limit))
  }

  async delete(document: string, request: DeletionRequest): Promise<boolean> {
    this.#assertOpen()
    const { incarnation, head, formerClients, key, cursors = [] } = request
    const now = this.#clock.now()
    const holder = cursors.length > 0 ? await this.#holder.alive() : null
    const deleted = [document, incarnation ?? null, head ?? null, formerClients, cursors, holder, now]
    const noted = key ? [ofDeletion(document, key.id), key.request, now - WRITE_KEY_MS] : []
    const [text, values] = [key ? DELETE_WITH_KEY : DELETE, [...deleted, ...noted]]
    const [row] = await this.#read((link) => link.query<{ done: boolean }>({ text, values }))
    // Numbers that are not those that others know have them look.
    if (row?.done) this.#announcer.announce([{ document, incarnation: NO_LOG.incarnation, seq: 0, update: null }])
    return row?.done === true
  }

  async listDeleted(cursor: string | undefined, limit: number): Promise<readonly DeletedDocument[]> {
    this.#assertOpen()
    return this.#read((link) => readDeleted(link, cursor, limit))
  }

  async remove(document: string): Promise<void> {
    this.#assertOpen()
    const text = 'WITH told AS (DELETE FROM coedit.farewells WHERE name = $1) SELECT coedit.remove($1)'
    await this.#read((link) => link.query({ text, values: [document] }))
  }

  /** Rejects with what keeps it from working, and says in the log what may. */
  async #prepare(link: Link): Promise<void> {
    await checkServer(link)
    if (!this.#serves) return expectSchema(link)
    await prepareSchema(link)
    await checkRights(link)
    await tellRisks(link, this.#log)
  }

  #assertOpen(): void {
    if (this.#state !== 'open') throw closedError()
  }

  async #append(batch: readonly AppendRequest[]): Promise<AppendedBatch> {
    try {
      const { appended, isTold } = await this.#appender.append(batch)
      return { appended: await this.#withLineages(batch, appended), isTold }
    } catch (error) {
      // Whether numbers are lost, and how many, is found out before whoever writes forgets them.
      if (hasCode(error, 'STORAGE_CONFLICT'))
        await this.#followers.check([...new Set(batch.map(({ document }) => document))])
      throw error
    }
  }

  /**
   * Adds where the numbers come from that the requests build on, for documents that have become another incarnation.
   */
  async #withLineages(batch: readonly AppendRequest[], appended: readonly Appended[]): Promise<readonly Appended[]> {
    const hasMoved = ({ base, incarnation }: AppendRequest, place: number) =>
      base > 0 && incarnation !== undefined && incarnation !== appended[place]?.incarnation
    const moved = batch.filter(hasMoved).map(({ document }) => document)
    if (moved.length === 0) return appended
    const { heads } = await this.#read((link) => readHeads(link, moved))
    const lineages = new Map(heads.map((head) => [head.document, lineageOf(head)]))
    return appended.map((answer, place) => ({ ...lineages.get(batch[place]?.document ?? ''), ...answer }))
  }

  #noteLoss(document: string, entries: number): void {
    this.#lostEntries += entries
    const message = 'the database has lost entries that were acknowledged: clients bring back what they still have'
    this.#log.error({ document, entries }, message)
  }

  /** Does all but appends. What is found damaged is counted. */
  async #read<T>(work: (link: Link) => Promise<T>): Promise<T> {
    try {
      return await this.#reads.run(work)
    } catch (error) {
      const known = translated(error)
      if (hasCode(known, 'STORAGE_DAMAGED')) this.#noteDamage(known)
      throw known
    }
  }

  #noteDamage(error: unknown): void {
    this.#damagedRecords++
    this.#log.error({ err: error }, 'a document is damaged, and is not served')
  }

  #tellOfRevocations(): void {
    this.#broadcast.send('coedit_revocations', [this.#sender]).catch((error: unknown) => {
      this.#log.debug({ err: error }, 'other servers could not be told of revocations')
    })
  }

  #hear(channel: Channel, payload: string): void {
    if (channel === 'coedit_relay') this.#relay.hear(payload)
    else if (channel === 'coedit_revocations') {
      if (payload !== this.#sender) this.revocations.changed()
    } else {
      const hints = decodeHints(payload, this.#sender)
      if (!hints) return
      this.#followers.hinted(hints)
      for (const { onAppended } of this.#listeners) {
        for (const { document, incarnation, seq } of hints) onAppended(document, incarnation, seq)
      }
    }
  }

  #check(): void {
    for (const check of [this.#followers.check(), this.revocations.check(), this.webhooks.check()]) {
      check.catch((error: unknown) => {
        if (this.#state === 'open') this.#log.warn({ err: error }, 'what other servers wrote could not be looked for')
      })
    }
  }

  #checkLater(): void {
    this.#nextCheck = this.#clock.after(CHECK_MS, () => {
      this.#broadcast.probe()
      this.#check()
      this.#checkLater()
    })
  }
}
