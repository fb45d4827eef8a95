import { randomUUID } from 'node:crypto'
import { hasCode } from '../../common/errors.ts'
import { type Log, silentLog } from '../../common/log.ts'
import { Serial } from '../../common/serial.ts'
import { type Cancel, type Clock, systemClock } from '../../common/timing.ts'
import { NO_LOG } from '../log-part.ts'
import type {
  Appended,
  AppendRequest,
  DocumentFacts,
  LogPart,
  Snapshot,
  Storage,
  StorageDamage,
  StorageStatus,
  StoredDocument,
  StoredRevocation,
  Unfollow,
} from '../storage.ts'
import { Announcer } from './announcer.ts'
import { Appender } from './appender.ts'
import { pack } from './checked.ts'
import { Followers } from './followers.ts'
import { decodeHints, hintsOf } from './hints.ts'
import { Lane } from './lane.ts'
import { Dialer, type Link } from './link.ts'
import { Listener } from './listener.ts'
import { expectSchema, prepareSchema } from './migrate.ts'
import { closedError, translated, unreachableError } from './pg-errors.ts'
import { descriptionChecksum, readDocument, readFacts, readFrom, readHeads, readNames } from './reading.ts'
import { readRevocations, writeRevocations } from './revocations.ts'
import { targetsOf } from './target.ts'

export interface PostgresStorageOptions {
  /** `postgres://…`; several hosts have commas between them. */
  readonly url: string
  /** The same past a pool that hands out connections by transaction, through which nobody can listen. Default: `url`. */
  readonly directUrl?: string
  readonly clock?: Clock
  /** Default: silent. */
  readonly log?: Log
  /**
   * Whether documents are served from it. Otherwise it makes no schema where there is none, and does not listen: nothing
   * is followed. Default true.
   */
  readonly serves?: boolean
}

/** Connections that read, and do all else but append and listen: each node has two more. */
const MAX_READERS = 4
/** How often the heads of documents that are followed are compared, in milliseconds. */
const CHECK_MS = 2_000
/** A snapshot is much to write: so many milliseconds may pass without an answer. */
const COMPACT_SILENCE_MS = 120_000

/**
 * The engine PostgreSQL, which any number of servers share. All of it lies in the schema `coedit`, which postgres/schema.ts
 * describes.
 *
 * Whatever fails because the database cannot be used is repeated until it can: every statement is safe to repeat. The
 * database is the only truth; what nodes tell each other is for speed.
 */
export class PostgresStorage implements Storage {
  readonly isShared = true
  readonly #clock: Clock
  readonly #log: Log
  readonly #serves: boolean
  /** By which this node knows its own notifications. */
  readonly #sender = randomUUID()
  readonly #appends: Lane
  readonly #reads: Lane
  readonly #appender: Appender
  readonly #announcer: Announcer
  readonly #followers: Followers
  readonly #listener: Listener
  readonly #gate = new Serial()
  #damagedRecords = 0
  #nextCheck: Cancel | undefined
  #state: 'new' | 'open' | 'closed' = 'new'

  /** @throws CoeditError OPTION_INVALID for a URL that is none */
  constructor({ url, directUrl = url, clock = systemClock, log = silentLog, serves = true }: PostgresStorageOptions) {
    const dialer = (address: string, role: string) => new Dialer(targetsOf(address, role), clock)
    this.#clock = clock
    this.#log = log
    this.#serves = serves
    this.#appends = new Lane({ dialer: dialer(url, 'append'), max: 1, isPrompt: true, clock, log })
    this.#reads = new Lane({ dialer: dialer(url, 'read'), max: MAX_READERS, clock, log })
    this.#appender = new Appender({ lane: this.#appends, clock, log })
    this.#announcer = new Announcer(this.#sender, this.#reads, log)
    this.#followers = new Followers({
      clock,
      log,
      readHeads: (documents) => this.#read((link) => readHeads(link, documents)),
      readFrom: (document, after) => this.#read((link) => readFrom(link, document, after)),
      settled: () => this.#gate.idle(),
    })
    this.#listener = new Listener({
      dialer: dialer(directUrl, 'listen'),
      clock,
      log,
      onPayload: (payload) => this.#hear(payload),
      onListening: () => this.#check(),
      sendEcho: () => this.#announcer.echo(),
    })
  }

  get status(): StorageStatus {
    return this.#appends.status.state === 'ok' ? this.#reads.status : this.#appends.status
  }

  get damage(): StorageDamage {
    return { droppedBytes: 0, records: this.#damagedRecords, failedReads: 0 }
  }

  /** May be called once. Rejects with STORAGE_UNREACHABLE, STORAGE_OUTDATED and STORAGE_MISSING, too. */
  async open(): Promise<void> {
    try {
      await this.#reads.once(this.#serves ? prepareSchema : expectSchema)
      if (this.#serves) await this.#reads.once((link) => this.#warnOfRisks(link))
    } catch (error) {
      this.#reads.giveUp()
      await this.#reads.close()
      throw unreachableError(error)
    }
    this.#state = 'open'
    if (!this.#serves) return
    this.#listener.start()
    this.#checkLater()
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    this.#nextCheck?.()
    this.#followers.close()
    await this.#listener.stop()
    this.#appends.giveUp()
    this.#reads.giveUp()
    await this.#gate.idle()
    await this.#appender.close()
    await Promise.all([this.#appends.close(), this.#reads.close()])
  }

  async load(document: string): Promise<StoredDocument> {
    this.#assertOpen()
    return this.#read((link) => readDocument(link, document))
  }

  async readAfter(document: string, after: number, maxBytes?: number): Promise<LogPart | null> {
    this.#assertOpen()
    const part = await this.#read((link) => readFrom(link, document, after, maxBytes))
    if (!part) return after === 0 ? { incarnation: NO_LOG.incarnation, entries: [] } : null
    const { incarnation, entries, head, first } = part
    return after > head || after < first ? null : { incarnation, entries }
  }

  async append(batch: readonly AppendRequest[]): Promise<readonly Appended[]> {
    this.#assertOpen()
    if (batch.length === 0) return []
    return this.#gate.run(async () => {
      const appended = await this.#appender.append(batch)
      this.#followers.wrote(batch, appended)
      this.#announcer.announce(hintsOf(batch, appended))
      return appended
    })
  }

  async compact(document: string, snapshot: Snapshot, replaces: number, incarnation?: number): Promise<boolean> {
    this.#assertOpen()
    const { seq, chunks, stateVector, deleteSet } = snapshot
    const { sizes, checksums, content } = pack(chunks)
    const checksum = descriptionChecksum(stateVector, deleteSet)
    const text = 'SELECT coedit.compact($1, $2, $3, $4, $5, $6, $7, $8::integer[], $9::integer[], $10) AS done'
    const described = [document, incarnation ?? null, replaces, seq, checksum, stateVector, deleteSet]
    const values = [...described, sizes, checksums, content]
    const [row] = await this.#read((link) =>
      link.query<{ done: boolean }>({ text, values, silenceMs: COMPACT_SILENCE_MS }),
    )
    return row?.done === true
  }

  follow(document: string, after: number, onEntries: (part: LogPart) => void): Unfollow {
    return this.#followers.add(document, after, onEntries)
  }

  async stat(document: string): Promise<DocumentFacts | undefined> {
    this.#assertOpen()
    return this.#read((link) => readFacts(link, document))
  }

  async list(prefix: string, cursor: string | undefined, limit: number): Promise<readonly string[]> {
    this.#assertOpen()
    return this.#read((link) => readNames(link, prefix, cursor, limit))
  }

  async remove(document: string): Promise<void> {
    this.#assertOpen()
    await this.#read((link) => link.query({ text: 'SELECT coedit.remove($1)', values: [document] }))
  }

  async loadRevocations(): Promise<readonly StoredRevocation[]> {
    this.#assertOpen()
    return this.#read(readRevocations)
  }

  async storeRevocations(revocations: readonly StoredRevocation[], forgotten: readonly string[]): Promise<void> {
    this.#assertOpen()
    await this.#read((link) => writeRevocations(link, revocations, forgotten))
  }

  /** What is acknowledged is to outlive a crash of the database. */
  async #warnOfRisks(link: Link): Promise<void> {
    const text = `SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit') AND setting = 'off'`
    const settings = await link.query<{ name: string }>({ text })
    if (settings.length === 0) return
    const names = settings.map(({ name }) => name)
    this.#log.error(
      { settings: names },
      'settings of the database are off: a crash of it may lose what was acknowledged',
    )
  }

  #assertOpen(): void {
    if (this.#state !== 'open') throw closedError()
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

  /** Takes in a notification, and returns whether it is this node's own. */
  #hear(payload: string): boolean {
    const news = decodeHints(payload)
    if (!news) return false
    if (news.sender === this.#sender) return true
    this.#followers.hinted(news.hints)
    return false
  }

  #check(): void {
    this.#followers.check().catch((error: unknown) => {
      if (this.#state === 'open') this.#log.warn({ err: error }, 'what other servers wrote could not be looked for')
    })
  }

  #checkLater(): void {
    this.#nextCheck = this.#clock.after(CHECK_MS, () => {
      this.#listener.probe()
      this.#check()
      this.#checkLater()
    })
  }
}
