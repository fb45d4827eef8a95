import { CoeditError, goneError, hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Meters } from '../common/meters.ts'
import type { Cancel, Clock } from '../common/timing.ts'
import { inTurns } from '../common/turns.ts'
import type { Config } from '../config/config.ts'
import { type ScannedUpdate, scanUpdate, splitUpdate } from '../protocol/update/update.ts'
import type {
  Appended,
  AppendRequest,
  DocumentStore,
  Lineage,
  LogPart,
  StoredDocument,
} from '../storage/document-store.ts'
import { lastStanding, lineageOf } from '../storage/lineage.ts'
import { Activity } from './activity.ts'
import { Cadence } from './cadence.ts'
import { type Admitted, capacityLeft, withinCapacity } from './capacity.ts'
import type { CommitSource } from './committer.ts'
import type { DocumentLog } from './document-log.ts'
import { type Edits, Receipt } from './edits.ts'
import { FormerClients } from './former-clients.ts'
import type { LoopCost } from './loop-cost.ts'
import type { Neighbours } from './neighbours.ts'
import { EncodedPiece, type Piece } from './piece.ts'
import { Presence } from './presence.ts'
import { Quarantine } from './quarantine.ts'
import { type Replica, SharedLog } from './shared-log.ts'
import type { LoadedSnapshot } from './snapshot.ts'
import type { Author, EndReason, Flush, PresenceStep, Subscriber, WriteKey } from './subscriber.ts'
import { Subscribers } from './subscribers.ts'

/** Presence gathers for this long for each subscriber, up to the option `presenceIntervalMs`. */
const PRESENCE_MS_PER_SUBSCRIBER = 1

/** What a document needs of its surroundings. */
export interface DocumentContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly meters: Meters
  /** Shared by all documents. */
  readonly loopCost: LoopCost
  /** The stored cursors that are told of what is written to a document here. */
  cursorsOf(document: Document): readonly string[]
  /** Asks for a commit of what is pending. */
  requestCommit(source: CommitSource): void
  /** Called with each flush that brings edits; `isForeign` where other servers alone wrote them. */
  committed(document: Document, isForeign: boolean): void
  /** Called when the log has grown or the last subscriber has gone. */
  changed(document: Document): void
  /** The other servers that may show a document. */
  neighboursOf(name: string): Neighbours
}

interface Answered {
  readonly update: Uint8Array
  readonly appended: Appended
}

/**
 * One open document: an ordered log, and everybody is a cursor on it. Edits come in by `submit` alone, whoever writes;
 * they are shown to the subscribers when they are durable.
 */
export class Document implements CommitSource, Replica {
  readonly name: string
  readonly log: DocumentLog
  readonly presence: Presence
  /** Of entries that were made durable, here and at other servers. */
  readonly activity = new Activity()
  readonly formerClients: FormerClients
  readonly #context: DocumentContext
  readonly #subscribers = new Subscribers()
  readonly #edits: Edits
  readonly #cadence: Cadence
  #lineage: Lineage
  readonly #quarantine: Quarantine
  /** What was committed and is not entered yet. */
  #answered: readonly Answered[] | undefined
  #sharedLog: SharedLog | undefined
  /** Why a commit was refused for good. */
  #failure: CoeditError | undefined
  #isLost = false
  /** Whether what is committed has to be the first that anybody writes, or that since the document was deleted. */
  #seeding: 'first' | 'anew' | undefined
  #isFull = false
  #presenceTimer: Cancel | undefined

  /** @param edits of this document alone; they know what is in the log */
  constructor(name: string, stored: StoredDocument, log: DocumentLog, edits: Edits, context: DocumentContext) {
    this.name = name
    this.#context = context
    this.log = log
    this.presence = new Presence(
      { maxPresenceBytes: context.config.maxPresenceBytes, maxWeakClaims: context.config.maxPresenceIds },
      context.clock,
      () => this.#presenceChanged(),
      context.neighboursOf(name),
    )
    this.#lineage = lineageOf(stored)
    this.#quarantine = new Quarantine(stored.quarantined ?? [])
    this.formerClients = new FormerClients(name, stored.formerClients)
    this.#edits = edits
    const { documentBusyShare: busyShare, maxGatherMs } = context.config
    this.#cadence = new Cadence({ busyShare, maxGatherMs }, context.clock, context.loopCost)
    this.#quarantine.takeInto(edits)
    if (!this.#edits.isEmpty) context.requestCommit(this)
  }

  /** Of its numbers; 0 for a document that was never written. */
  get incarnation(): number {
    return this.#lineage.incarnation
  }

  /** Whether a number that is of this incarnation stands for the same entry now, if there is one. */
  stands(incarnation: number, seq: number): boolean {
    const { earlierIncarnations = [] } = this.#lineage
    if (incarnation === this.incarnation) return true
    return earlierIncarnations.some((earlier) => earlier.incarnation === incarnation && seq <= earlier.last)
  }

  /** The last log position. */
  get head(): number {
    return this.log.head
  }

  /** Tickets up to this one stand for edits that are durable. */
  get durableTicket(): number {
    return this.#edits.durableTicket
  }

  /** The ticket of the newest edit. */
  get lastTicket(): number {
    return this.#edits.lastTicket
  }

  /** The lowest position of those who follow; infinite where nobody does. */
  get slowestPosition(): number {
    return this.#subscribers.slowestPosition
  }

  /** Whether nobody needs it and everything is durable, so that it may leave memory. */
  get isIdle(): boolean {
    return !this.#subscribers.keep && this.#edits.isSettled
  }

  /** Why this object no longer tells what is stored: a commit was refused for good, or the document was deleted. */
  get failure(): CoeditError | undefined {
    return this.#failure
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  /** Whether the database no longer has some of what was committed, and is here. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Of edits that are not durable yet. */
  get pendingBytes(): number {
    return this.#edits.byteLength
  }

  /** Whether so much waits to be durable that writers have to wait. */
  get isCongested(): boolean {
    return this.pendingBytes > this.#context.config.maxPendingBytes
  }

  /** Whether something was refused for want of capacity since it was compacted last. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** How many follow it: those who are connected, and what the server itself does for some of them. */
  get readers(): number {
    return this.#subscribers.size
  }

  /** How many updates were cut off by damage, and wait for what they build on. */
  get quarantined(): number {
    return this.#quarantine.size
  }

  /** Next clock by client, of everything received. */
  get clocks(): ReadonlyMap<number, number> {
    return this.#edits.known.clocks
  }

  /**
   * Whether an update brings nothing, deletions included, that is not known already.
   * @throws CoeditError UPDATE_MALFORMED
   */
  knows(update: Uint8Array): boolean {
    return this.#edits.knows(update)
  }

  encodeStateVector(): Uint8Array {
    return this.#edits.known.encodeStateVector()
  }

  subscribe(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber)
  }

  unsubscribe(subscriber: Subscriber): void {
    if (this.#subscribers.delete(subscriber)) this.left()
  }

  /** To be called when somebody does not need the document any more. */
  left(): void {
    this.#context.changed(this)
  }

  /** Ends all subscribers. What is pending is still committed. */
  end(reason: EndReason): void {
    this.#subscribers.end(reason)
  }

  /**
   * The single way in for edits, in one step: takes what is new and closed, as far as the document has the capacity for
   * what its author writes (all or nothing, where the author is so), and has it committed.
   * @param key becomes known with it where all of it is taken
   * @throws CoeditError UPDATE_MALFORMED, UPDATE_TOO_DEEP; GONE for what was written before the document was deleted, or
   *   since; STORAGE_CLOSED once a commit was refused for good
   */
  submit(update: Uint8Array, author: Author | null, key?: WriteKey): Receipt {
    if (this.#failure) throw this.#failure
    const { clock, config } = this.#context
    const { chunkBytes } = config
    const startedAt = clock.now()
    const isParted = author?.isLimited && !author.isAllOrNothing
    const whole = author?.isLimited && !isParted ? scanUpdate(update) : undefined
    if (whole && !this.#admit(whole).isWhole) return new Receipt(this.#edits, true, true)
    let complete = true
    let isRefused = false
    for (const piece of update.length > chunkBytes ? splitUpdate(update, chunkBytes) : [update]) {
      const scanned = whole && piece === update ? whole : scanUpdate(piece)
      if (!this.formerClients.isEmpty) this.formerClients.expectNone(scanned.sections.map(({ client }) => client))
      const { part, isWhole } = isParted ? this.#admit(scanned) : { part: scanned, isWhole: true }
      if (!isWhole) isRefused = true
      if (!this.#edits.take(part, author)) complete = false
    }
    if (key && complete && !isRefused) this.#edits.begin(author, key)
    if (!this.#edits.isEmpty) {
      this.#quarantine.takeInto(this.#edits)
      this.#context.requestCommit(this)
    }
    this.#cadence.took(startedAt)
    return new Receipt(this.#edits, complete, isRefused)
  }

  /**
   * Submits what a document begins with, be it nothing. Resolves when it is durable; rejects with STORAGE_CLOSED where
   * another server has written to it first.
   * @param seeding whether it may have been deleted before
   */
  async seed(update: Uint8Array, author: Author, seeding: 'first' | 'anew', key?: WriteKey): Promise<void> {
    this.#seeding = seeding
    this.submit(update, author, key)
    if (this.#edits.isSettled) this.#edits.begin(author)
    this.#context.requestCommit(this)
    await this.#edits.durable(this.#edits.lastTicket)
    this.#seeding = undefined
  }

  /** Goes on with a newer snapshot, which is stored already. */
  async replaceSnapshot(snapshot: LoadedSnapshot): Promise<void> {
    this.log.replaceSnapshot(snapshot, this.slowestPosition)
    // Rewriting deletes what lies inside of deleted types, too.
    await inTurns(this.#edits.noteDeleted(snapshot.deletedInParts()))
    if (!this.#isFull) return
    this.#isFull = false
    // This flush brings nothing new, but has writers whose edits were refused send them again.
    this.#subscribers.deliver(this.#flush(this.head, [], null, null))
  }

  restMs(): number {
    return this.#cadence.restMs()
  }

  takePending(): readonly AppendRequest[] {
    // Entries of others are still to be read before the last batch.
    if (this.#edits.isInFlight || this.#edits.isEmpty) return []
    const { entries, author, keys } = this.#edits.drain(this.#context.config.chunkBytes)
    if (entries.length === 0) {
      // Others have committed all of it meanwhile.
      this.#deliver([], this.#edits.settle())
      return []
    }
    // What comes first has nothing to be based on, whatever others are said to have written.
    const base = this.#seeding ? 0 : (this.#sharedLog?.reach(this.incarnation) ?? this.head)
    const releases = this.#quarantine.takeReleased()
    const cursors = this.#context.cursorsOf(this).filter((cursor) => cursor !== author?.cursor)
    return entries.map(({ update, authors }, index) => ({
      document: this.name,
      update,
      authors,
      base,
      incarnation: this.incarnation,
      isFirst: this.#seeding !== undefined,
      anew: this.#seeding === 'anew',
      cursors,
      keys: index === entries.length - 1 ? keys : [],
      releases: index === 0 ? releases : [],
    }))
  }

  committed(requests: readonly AppendRequest[], appended: readonly Appended[]): void {
    const [first] = appended
    // It may have been deleted before the answer came.
    if (!first || this.#failure) return
    this.#answered = requests.map(({ update }, index) => ({ update, appended: appended[index] ?? first }))
    this.enter([...(this.#sharedLog?.held ?? []), { ...first, entries: first.between }])
    this.#sharedLog?.passed()
    if (!this.#answered) return
    if (!this.#sharedLog) {
      const message = `the storage gave number ${first.seq} to an entry of '${this.name}', expected ${this.head + 1}`
      throw new CoeditError('STORAGE_DAMAGED', message)
    }
    this.#sharedLog.want(first.seq - 1)
  }

  /** Begins to take in what other servers append. */
  share(store: DocumentStore): void {
    this.#sharedLog = new SharedLog(this, store, this.#context.clock, this.#context.config.maxGatherMs)
    this.#sharedLog.start()
  }

  /** Edits of its own that are not durable yet are shown soon. */
  gatherMs(): number {
    return this.#edits.isSettled ? this.restMs() : this.#context.config.maxGatherMs
  }

  /** Takes in those entries of others that come next, and its own behind them, and shows all of it in one flush. */
  enter(parts: readonly LogPart[]): void {
    const pieces: Piece[] = []
    for (const part of parts) {
      if (this.head > 0) this.#goOnAs(part)
      for (const { seq, update } of part.entries) {
        if (seq !== this.head + 1) continue
        const startedAt = this.#context.clock.now()
        pieces.push(this.#push(update, seq, part, false))
        this.#cadence.took(startedAt)
      }
    }
    const own = this.#enterOwn()
    if (own) {
      const author = this.#edits.settle()
      this.#deliver([...pieces, ...own], pieces.length > 0 ? null : author)
      if (!this.#edits.isEmpty) this.#context.requestCommit(this)
    } else if (pieces.length > 0) {
      this.#deliver(pieces, null, true)
    }
  }

  lose(error: unknown): void {
    if (!hasCode(error, 'GONE')) {
      this.#context.log.warn({ err: error, document: this.name }, 'a document is loaded anew')
    }
    this.commitFailed(error)
  }

  /** To be called when the document leaves memory. */
  close(): void {
    this.#sharedLog?.stop()
    this.presence.close()
  }

  commitFailed(error: unknown): void {
    if (this.#failure) return
    const isDeleted = hasCode(error, 'GONE')
    // What is known counts edits that will never be durable: only a fresh load tells the truth again.
    this.#answered = undefined
    this.#failure = isDeleted ? goneError(this.name) : this.#closed()
    this.#edits.fail(this.#failure)
    this.close()
    this.#context.changed(this)
    this.end(isDeleted ? 'deleted' : 'failed')
  }

  /** Enters what was committed, once all that comes before it is there. */
  #enterOwn(): readonly Piece[] | undefined {
    const answered = this.#answered
    if (!answered || (answered[0]?.appended.seq ?? 0) > this.head + 1) return undefined
    this.#answered = undefined
    const pieces: Piece[] = []
    for (const { update, appended } of answered) {
      // An entry that was read from the log meanwhile has been entered already.
      if (appended.seq === this.head + 1) pieces.push(this.#push(update, appended.seq, appended, true))
    }
    return pieces
  }

  /** The part of an update that the document has the capacity for. */
  #admit(update: ScannedUpdate): Admitted {
    const { known, byteLength } = this.#edits
    const encodedBytes = this.log.snapshotBytes + this.log.tailBytes + byteLength
    const admitted = withinCapacity(update, capacityLeft(encodedBytes, known, this.#context.config), known)
    if (admitted.isWhole) return admitted
    this.#isFull = true
    this.#context.meters.limited('maxDocumentBytes')
    this.#context.changed(this)
    return admitted
  }

  #flush(after: number, pieces: readonly Piece[], author: Author | null, presence: PresenceStep | null): Flush {
    return { after, head: after + pieces.length, pieces, author, isForeign: false, presence }
  }

  #closed(): CoeditError {
    return new CoeditError('STORAGE_CLOSED', `an edit of '${this.name}' could not be stored: open it anew`)
  }

  #push(update: Uint8Array, seq: number, lineage: Lineage, isOwn: boolean): Piece {
    const piece = new EncodedPiece(this.#edits.apply(update, isOwn), seq)
    if (this.head === 0) this.#lineage = lineageOf(lineage)
    this.log.push(piece)
    return piece
  }

  /** @throws CoeditError STORAGE_CONFLICT where what it has is not what the log has now under the same numbers */
  #goOnAs(lineage: Lineage): void {
    if (lineage.incarnation === this.incarnation) return
    // Only a loss is told without one.
    this.#isLost = lineage.incarnation === 0
    if (lastStanding(this.incarnation, lineage) < this.head) {
      throw new CoeditError('STORAGE_CONFLICT', `the numbers of '${this.name}' were given anew`)
    }
    this.#lineage = lineageOf(lineage)
  }

  #deliver(pieces: readonly Piece[], author: Author | null, isForeign = false): void {
    const { clock, changed, committed } = this.#context
    const startedAt = clock.now()
    const after = this.head - pieces.length
    this.#subscribers.deliver({ ...this.#flush(after, pieces, author, this.presence.flush()), isForeign })
    this.#cadence.flushed(startedAt)
    if (pieces.length > 0) {
      this.activity.note(pieces.length, startedAt)
      committed(this, isForeign)
    }
    changed(this)
  }

  #presenceChanged(): void {
    const { presenceIntervalMs } = this.#context.config
    const delay = Math.min(presenceIntervalMs, this.#subscribers.size * PRESENCE_MS_PER_SUBSCRIBER)
    this.#presenceTimer ??= this.#context.clock.after(delay, () => {
      this.#presenceTimer = undefined
      const step = this.presence.flush()
      if (step) this.#subscribers.deliver(this.#flush(this.head, [], null, step))
    })
  }
}
