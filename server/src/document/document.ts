import type { Cancel, Clock } from '../common/clock.ts'
import { CoeditError } from '../common/errors.ts'
import { inTurns } from '../common/turns.ts'
import type { Config } from '../config/config.ts'
import { type KnownState, type News, type ScannedUpdate, scanUpdate, takeNews } from '../protocol/update/update.ts'
import type { Appended, AppendRequest, QuarantinedUpdate, StoredDocument } from '../storage/storage.ts'
import { type Admitted, roomFor, withinRoom } from './capacity.ts'
import type { CommitSource } from './committer.ts'
import type { DocumentLog } from './document-log.ts'
import { type Batch, PendingEdits } from './pending.ts'
import { EncodedPiece, type Piece } from './piece.ts'
import { Presence } from './presence.ts'
import type { LoadedSnapshot } from './snapshot.ts'
import { type EndReason, Flush, type Observer, type Subscriber } from './subscriber.ts'
import { Subscribers } from './subscribers.ts'

/** Presence gathers for this long for each subscriber, up to the option `presenceIntervalMs`. */
const PRESENCE_MS_PER_SUBSCRIBER = 1

/** What a document needs of its surroundings. */
export interface DocumentContext {
  readonly config: Config
  readonly clock: Clock
  /** Asks for a commit of what is pending. */
  requestCommit(source: CommitSource): void
  /** Called when the log has grown or the last subscriber has gone. */
  changed(document: Document): void
}

/** What became of an update: what was new in it is durable once `durableTicket` has reached `ticket`. */
export interface Receipt {
  readonly ticket: number
  /** False when something was left out that builds on ids which nobody has sent yet. */
  readonly complete: boolean
}

interface Commit extends Batch {
  readonly ticket: number
}

/**
 * One open document: an ordered log, and everybody is a cursor on it. Edits come in by `append` alone, whoever writes;
 * they are shown to the subscribers when they are durable.
 */
export class Document implements CommitSource {
  readonly name: string
  readonly log: DocumentLog
  readonly presence: Presence
  readonly #context: DocumentContext
  readonly #subscribers = new Subscribers()
  readonly #observers: Observer[] = []
  /** What the log and the commits on their way hold. */
  readonly #known: KnownState
  #incarnations: readonly number[]
  #quarantined: readonly QuarantinedUpdate[]
  /** Quarantined updates that are in the log again, to be deleted with the next commit. */
  #released: number[] = []
  readonly #pending = new PendingEdits()
  #commit: Commit | undefined
  #hasFailed = false
  #isFull = false
  #lastTicket = 0
  #durableTicket = 0
  #lastCommitAt = 0
  #gathering: Cancel | undefined
  #presenceTimer: Cancel | undefined

  /** @param known what is in the log; becomes its own */
  constructor(name: string, stored: StoredDocument, log: DocumentLog, known: KnownState, context: DocumentContext) {
    this.name = name
    this.#context = context
    this.log = log
    this.presence = new Presence(
      { maxPresenceBytes: context.config.maxPresenceBytes, maxWeakClaims: context.config.maxPresenceIds },
      () => this.#presenceChanged(),
    )
    this.#incarnations = [stored.incarnation, ...stored.earlierIncarnations]
    this.#quarantined = stored.quarantined
    this.#known = known
    this.#takeQuarantined()
  }

  /** First the present one, which is 0 for a document that was never written; then those whose numbers are still valid. */
  get incarnations(): readonly number[] {
    return this.#incarnations
  }

  /** The last log position. */
  get head(): number {
    return this.log.head
  }

  /** The ticket of the newest edit. */
  get lastTicket(): number {
    return this.#lastTicket
  }

  /** Tickets up to this one stand for edits that are durable. */
  get durableTicket(): number {
    return this.#durableTicket
  }

  /** The lowest position of those who follow; infinite where nobody does. */
  get slowestPosition(): number {
    return this.#subscribers.slowestPosition
  }

  /** How many snapshots are in memory because somebody is being sent them. */
  get snapshotsInUse(): number {
    return this.#subscribers.snapshotsInUse
  }

  /** Whether nobody follows it and everything is durable, so that it may leave memory. */
  get isIdle(): boolean {
    return this.#subscribers.size === 0 && this.#pending.isEmpty && !this.#commit
  }

  /** Whether a commit was refused for good: this object no longer tells what is stored. */
  get hasFailed(): boolean {
    return this.#hasFailed
  }

  /** Whether so much waits to be durable that writers have to wait. */
  get isCongested(): boolean {
    return this.#pendingBytes > this.#context.config.maxPendingBytes
  }

  /** Whether it had no room for something since it was compacted last. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Next clock by client, of everything received. */
  get clocks(): ReadonlyMap<number, number> {
    return this.#known.clocks
  }

  encodeStateVector(): Uint8Array {
    return this.#known.encodeStateVector()
  }

  subscribe(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber)
  }

  unsubscribe(subscriber: Subscriber): void {
    if (this.#subscribers.delete(subscriber)) this.#context.changed(this)
  }

  /** For as long as the document is in memory. */
  observe(observer: Observer): void {
    this.#observers.push(observer)
  }

  /** Ends all subscribers. What is pending is still committed. */
  end(reason: EndReason): void {
    this.#subscribers.end(reason)
  }

  /** The part of a client's update that there is room for. What the app itself writes is not limited. */
  admit(update: ScannedUpdate): Admitted {
    const encodedBytes = this.log.snapshotBytes + this.log.tailBytes + this.#pendingBytes
    const admitted = withinRoom(update, roomFor(encodedBytes, this.#known, this.#context.config), this.#known)
    if (admitted.isWhole) return admitted
    this.#isFull = true
    this.#context.changed(this)
    return admitted
  }

  /**
   * The single way in for edits: takes what is new and closed, and has it committed.
   * @throws CoeditError STORAGE_CLOSED once a commit was refused for good
   */
  append(update: ScannedUpdate, from: Subscriber | null): Receipt {
    if (this.#hasFailed) throw new CoeditError('STORAGE_CLOSED', `'${this.name}' cannot be stored: open it anew`)
    const { news, complete } = takeNews(update, this.#known)
    if (news) {
      this.#enqueue(news, from)
      this.#takeQuarantined()
    }
    // What brings nothing may repeat what another connection has sent a moment ago: it counts when that is durable.
    return { ticket: this.#lastTicket, complete }
  }

  /** Has what still gathers committed now. */
  flush(): void {
    this.#gathering?.()
    this.#gathering = undefined
    if (!this.#pending.isEmpty) this.#context.requestCommit(this)
  }

  /** Goes on with a newer snapshot, which is stored already. */
  async replaceSnapshot(snapshot: LoadedSnapshot): Promise<void> {
    this.log.replaceSnapshot(snapshot, this.slowestPosition)
    // Rewriting deletes what lies inside of deleted types, too.
    await inTurns(this.#known.deleteInSteps(snapshot.deletedInParts()))
    if (!this.#isFull) return
    this.#isFull = false
    // Nothing new is in it, but whose edits were refused may send them again.
    this.#subscribers.deliver(new Flush(this.head, [], null, null))
  }

  takePending(): readonly AppendRequest[] {
    const batch = this.#pending.drain(this.#context.config.chunkBytes)
    const releases = this.#released
    this.#commit = { ...batch, ticket: this.#lastTicket }
    if (batch.updates.length > 0) this.#released = []
    this.#lastCommitAt = this.#context.clock.now()
    return batch.updates.map((update, index) => ({
      document: this.name,
      update,
      releases: index === 0 ? releases : [],
    }))
  }

  committed(appended: readonly Appended[]): void {
    const commit = this.#commit
    if (!commit) return
    const after = this.log.head
    const pieces = commit.updates.map((update, index) => this.#enter(update, appended[index]))
    this.#commit = undefined
    this.#durableTicket = commit.ticket
    const flush = new Flush(after, pieces, commit.author, this.presence.flush())
    this.#subscribers.deliver(flush)
    for (const observer of this.#observers) observer.committed(flush)
    this.#context.changed(this)
  }

  commitFailed(): void {
    // `known` counts edits that will never be durable: only a fresh load tells the truth again.
    this.#commit = undefined
    this.#pending.clear()
    this.#hasFailed = true
    this.#context.changed(this)
    this.end('failed')
  }

  get #pendingBytes(): number {
    return this.#pending.byteLength + (this.#commit?.byteLength ?? 0)
  }

  #enter(update: Uint8Array, appended: Appended | undefined): Piece {
    if (appended?.seq !== this.log.head + 1) {
      throw new CoeditError(
        'STORAGE_DAMAGED',
        `the storage gave number ${appended?.seq} to an entry of '${this.name}', expected ${this.log.head + 1}`,
      )
    }
    const piece = new EncodedPiece(update, appended.seq)
    if (appended.incarnation !== this.#incarnations[0]) this.#incarnations = [appended.incarnation]
    this.log.push(piece)
    return piece
  }

  #enqueue(news: News, from: Subscriber | null): void {
    const isFirst = this.#pending.isEmpty
    // The first edit after a commit opens the next ticket.
    if (isFirst) this.#lastTicket++
    this.#pending.add(news, from)
    if (isFirst) this.#gather()
  }

  /** With many subscribers, commits keep a distance: the same bytes then go out in fewer writes to each of them. */
  #gather(): void {
    const { config, clock } = this.#context
    const distance = Math.min(config.maxGatherMs, this.#subscribers.size * config.gatherMsPerSubscriber)
    const delay = this.#lastCommitAt + distance - clock.now()
    if (delay < 1) {
      this.#context.requestCommit(this)
      return
    }
    this.#gathering ??= clock.after(delay, () => {
      this.#gathering = undefined
      this.#context.requestCommit(this)
    })
  }

  #presenceChanged(): void {
    const { presenceIntervalMs } = this.#context.config
    const delay = Math.min(presenceIntervalMs, this.#subscribers.size * PRESENCE_MS_PER_SUBSCRIBER)
    this.#presenceTimer ??= this.#context.clock.after(delay, () => {
      this.#presenceTimer = undefined
      const step = this.presence.flush()
      if (step) this.#subscribers.deliver(new Flush(this.head, [], null, step))
    })
  }

  /** After damage: takes in again what was cut off, as far as what it builds on is there. */
  #takeQuarantined(): void {
    if (this.#quarantined.length === 0) return
    this.#quarantined = this.#quarantined.filter(({ id, update }) => {
      const { news, complete } = takeNews(scanUpdate(update), this.#known)
      if (news) this.#enqueue(news, null)
      if (complete) this.#released.push(id)
      return !complete
    })
  }
}
