import { type CoeditError, hasCode } from '../common/errors.ts'
import type { Steps } from '../common/turns.ts'
import {
  encodeAuthors,
  encodeNews,
  type IdRanges,
  type KnownState,
  type News,
  Overlay,
  type ScannedUpdate,
  scanUpdate,
  takeNews,
  trimEntry,
} from '../protocol/update/update.ts'
import { inGroups } from './byte-groups.ts'
import type { Author, WriteKey } from './subscriber.ts'

/** What is handed over to be committed. */
export interface Batch {
  /** One for each log entry, and who wrote what of it. */
  readonly entries: readonly { readonly update: Uint8Array; readonly authors: Uint8Array }[]
  /** The only one who wrote all of it; null for several or nobody. */
  readonly author: Author | null
  /** Those of edits in it. */
  readonly keys: readonly WriteKey[]
  readonly byteLength: number
  /** The ticket that is durable with it. */
  readonly ticket: number
}

/** An edit that changes nothing. */
const NOTHING: News = { runs: [], deletes: new Map(), byteLength: 2 }

interface Edit {
  readonly news: News
  readonly author: Author | null
  readonly key?: WriteKey | undefined
}

interface Waiting {
  readonly ticket: number
  resolve(): void
  reject(error: CoeditError): void
}

/**
 * The edits of one document between their writers and the log: what is known, what is pending and what is in flight. The
 * first edit after a batch was handed over opens the next ticket; a ticket is durable with its batch.
 */
export class Edits {
  /** What the log, the batch in flight and what is pending hold. */
  readonly known: KnownState
  /** What the log alone holds; undefined where nobody else writes to it, as it is never asked for then. */
  readonly #committed: KnownState | undefined
  #pending: Edit[] = []
  #pendingBytes = 0
  #inFlight: Batch | undefined
  #lastTicket = 0
  #durableTicket = 0
  /** Whether somebody else's entry came after some of what is pending was taken. */
  #mustRetake = false
  #waiting: Waiting[] = []

  /** Both states are of this document alone, and advanced from here on. */
  constructor(known: KnownState, committed?: KnownState) {
    this.known = known
    this.#committed = committed
  }

  get isEmpty(): boolean {
    return this.#pending.length === 0
  }

  /** Whether something was handed over that is not settled. */
  get isInFlight(): boolean {
    return this.#inFlight !== undefined
  }

  /** Whether everything is durable. */
  get isSettled(): boolean {
    return this.isEmpty && this.#inFlight === undefined
  }

  /** Bytes that are not durable yet. */
  get byteLength(): number {
    return this.#pendingBytes + (this.#inFlight?.byteLength ?? 0)
  }

  /** The ticket of the newest edit. */
  get lastTicket(): number {
    return this.#lastTicket
  }

  /** Tickets up to this one stand for edits that are durable. */
  get durableTicket(): number {
    return this.#durableTicket
  }

  /** Takes what is new and closed in an update; tells whether nothing else was in it. */
  take(update: ScannedUpdate, author: Author | null): boolean {
    const { news, complete } = takeNews(update, this.known)
    if (news) this.#add(news, author)
    return complete
  }

  /** Takes an edit that changes nothing, to be committed as any other, with those before it. */
  begin(author: Author | null, key?: WriteKey): void {
    this.#add(NOTHING, author, key)
  }

  /** Whether nothing of an update is new, be it closed or not. What is nested too deep is never known as it is. */
  knows(update: Uint8Array): boolean {
    try {
      const { news, complete } = takeNews(scanUpdate(update), new Overlay(this.known))
      return news === null && complete
    } catch (error) {
      if (hasCode(error, 'UPDATE_TOO_DEEP')) return false
      throw error
    }
  }

  /**
   * Hands over everything; until `settle` nothing more may be handed over.
   * @param maxEntryBytes how much is merged into one log entry, so that each is a message that a slow link can carry
   */
  drain(maxEntryBytes: number): Batch {
    if (this.#mustRetake) this.#retake()
    const entries = inGroups(this.#pending, ({ news }) => news.byteLength, maxEntryBytes).map((group) => ({
      update: encodeNews(group.map(({ news }) => news)),
      authors: encodeAuthors(group.map(({ news, author }) => ({ news, writer: author?.writer ?? null }))),
    }))
    const batch = {
      entries,
      author: soleAuthor(this.#pending),
      keys: this.#pending.flatMap(({ key }) => (key ? [key] : [])),
      byteLength: this.#pendingBytes,
      ticket: this.#lastTicket,
    }
    this.#clear()
    this.#inFlight = batch
    return batch
  }

  /**
   * What of the next entry of the log is new there: all of it, unless another server wrote what is in it at the same
   * time. To be asked strictly by number, for entries of its own too.
   */
  apply(update: Uint8Array, isOwn: boolean): Uint8Array {
    if (!this.#committed) return update
    const trimmed = trimEntry(update, this.#committed)
    if (isOwn) return trimmed
    takeNews(scanUpdate(trimmed), this.known)
    this.#mustRetake ||= !this.isEmpty
    return trimmed
  }

  /** What was handed over is durable and applied. Gives who alone wrote it; null for several or nobody. */
  settle(): Author | null {
    const author = this.#inFlight?.author ?? null
    this.#durableTicket = this.#inFlight?.ticket ?? this.#durableTicket
    this.#inFlight = undefined
    while (this.#waiting[0] && this.#waiting[0].ticket <= this.#durableTicket) this.#waiting.shift()?.resolve()
    return author
  }

  /** Notes what a newer snapshot of the same content has deleted. */
  *noteDeleted(parts: Iterable<IdRanges>): Steps<void> {
    for (const part of parts) {
      this.known.delete(part)
      this.#committed?.delete(part)
      yield
    }
  }

  /** Resolves when a ticket is durable. Rejects with STORAGE_CLOSED when it never will be. */
  durable(ticket: number): Promise<void> {
    if (ticket <= this.#durableTicket) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiting.push({ ticket, resolve, reject }))
  }

  /** Gives up all that is not durable. */
  fail(error: CoeditError): void {
    this.#clear()
    this.#inFlight = undefined
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }

  #add(news: News, author: Author | null, key?: WriteKey): void {
    if (this.isEmpty) this.#lastTicket++
    this.#pending.push({ news, author, key })
    this.#pendingBytes += news.byteLength
  }

  /** Leaves out what others have committed meanwhile: an entry that repeats it would have a hole where it is trimmed. */
  #retake(): void {
    const pending = this.#pending
    this.#clear()
    if (!this.#committed) return
    const known = new Overlay(this.#committed)
    for (const { news, author, key } of pending) {
      const taken = takeNews(scanUpdate(encodeNews([news])), known).news ?? (key && NOTHING)
      if (!taken) continue
      this.#pending.push({ news: taken, author, key })
      this.#pendingBytes += taken.byteLength
    }
  }

  #clear(): void {
    this.#pending = []
    this.#pendingBytes = 0
    this.#mustRetake = false
  }
}

/** What became of an update. */
export class Receipt {
  /** What was new in it is durable when this ticket is. */
  readonly ticket: number
  /** False when something was left out that builds on ids which nobody has sent yet. */
  readonly complete: boolean
  /** Whether something new was left out because the document is full. */
  readonly isRefused: boolean
  readonly #edits: Edits

  constructor(edits: Edits, complete: boolean, isRefused: boolean) {
    // What brings nothing may repeat what another connection has sent a moment ago: it counts when that is durable.
    this.ticket = edits.lastTicket
    this.complete = complete
    this.isRefused = isRefused
    this.#edits = edits
  }

  /** Resolves when the ticket is durable. Rejects with STORAGE_CLOSED when it never will be. */
  get durable(): Promise<void> {
    return this.#edits.durable(this.ticket)
  }
}

function soleAuthor(edits: readonly Edit[]): Author | null {
  const author = edits[0]?.author ?? null
  return edits.every((edit) => edit.author === author) ? author : null
}
