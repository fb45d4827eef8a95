import type { Log } from '../../common/log.ts'
import { Recent } from '../../common/recent.ts'
import type { Cancel, Clock } from '../../common/timing.ts'
import type { Appended, AppendRequest, Lineage, LogEntry, LogPart, Unfollow } from '../document-store.ts'
import { lastStanding, lineageOf } from '../lineage.ts'
import { NO_LOG } from '../log-part.ts'
import type { Hint } from './hints.ts'

/**
 * How long an entry whose predecessor is missing waits for it, in milliseconds: most often that is the answer of an append
 * under way, or the hint of another node that was a moment slower. Then the log is read.
 */
const GAP_MS = 10

/** Documents that this node wrote while nobody followed them, and numbers of each, that are remembered. */
const MAX_UNFOLLOWED = 1_000

/** What the database has of documents. */
export interface Heads {
  /** Which history of the database it was read from. */
  readonly epoch: string
  readonly heads: readonly Head[]
}

interface Head extends Lineage {
  readonly document: string
  readonly head: number
}

export interface FollowersContext {
  readonly clock: Clock
  readonly log: Log
  /** What the database has of these documents, also that some are deleted; those that it does not have are left out. */
  readHeads(documents: readonly string[]): Promise<Heads>
  /** The entries after a number that are there, and the last number; undefined for a document that is gone. */
  readFrom(document: string, after: number): Promise<(LogPart & { readonly head: number }) | undefined>
  /** Resolves when the appends under way are answered. */
  settled(): Promise<void>
  /** So many entries that this node knew of are gone with the history of the database that they were written to. */
  onLost(document: string, entries: number): void
}

/** Somebody who follows a document. */
interface Follower {
  readonly document: string
  readonly onEntries: (part: LogPart) => void
  /** Undefined until the database was asked. */
  lineage: Lineage | undefined
  /** The history in which the document was last known to be there. */
  epoch: string
  /** The last number that was reported, or was appended by this node. */
  position: number
  /** Numbers above the position that were appended by this node. */
  readonly own: Set<number>
  /** What was hinted at above the position. */
  readonly early: Map<number, Uint8Array>
  /** The highest number that is known to be there. */
  wanted: number
  isReading: boolean
  gap: Cancel | undefined
}

/**
 * Reports to those who follow documents what other nodes append, each entry once and in order. Hints bring it soon;
 * that it comes at all is due to `check`, which compares heads.
 */
export class Followers {
  readonly #context: FollowersContext
  readonly #byDocument = new Map<string, Set<Follower>>()
  /** What this node wrote of documents while nobody followed them. */
  readonly #unfollowed = new Recent<string, { readonly incarnation: number; readonly own: readonly number[] }>(
    MAX_UNFOLLOWED,
  )
  /** Documents whose heads are to be read in the next turn. */
  #unchecked = new Set<string>()
  #epoch = ''
  #isClosed = false

  constructor(context: FollowersContext) {
    this.#context = context
  }

  add(document: string, after: number, onEntries: (part: LogPart) => void): Unfollow {
    const written = this.#unfollowed.get(document)
    this.#unfollowed.delete(document)
    const follower: Follower = {
      document,
      onEntries,
      lineage: written && { incarnation: written.incarnation },
      epoch: this.#epoch,
      position: after,
      own: new Set(written?.own.filter((seq) => seq > after)),
      early: new Map(),
      wanted: 0,
      isReading: false,
      gap: undefined,
    }
    const ofDocument = this.#byDocument.get(document) ?? new Set()
    this.#byDocument.set(document, ofDocument.add(follower))
    this.#checkSoon(document)
    return () => {
      follower.gap?.()
      ofDocument.delete(follower)
      if (ofDocument.size === 0 && this.#byDocument.get(document) === ofDocument) this.#byDocument.delete(document)
    }
  }

  /** To be called before anything is followed. Rejects as reading does. */
  async start(): Promise<void> {
    this.#epoch = (await this.#context.readHeads([])).epoch
  }

  /** Reports nothing any more. */
  close(): void {
    this.#isClosed = true
    for (const followers of this.#byDocument.values()) for (const { gap } of followers) gap?.()
    this.#byDocument.clear()
  }

  /** Notes what this node has appended, and was told by the answers: that is not reported. */
  wrote(batch: readonly AppendRequest[], appended: readonly Appended[]): void {
    const touched = new Set<Follower>()
    for (const [place, answer] of appended.entries()) {
      const { seq, incarnation, between } = answer
      const document = batch[place]?.document ?? ''
      if (!this.#byDocument.has(document)) this.#remember(document, incarnation, seq)
      for (const follower of this.#of(document)) {
        this.#goOnAs(follower, answer)
        for (const told of [...between.map((entry) => entry.seq), seq]) {
          if (told > follower.position) follower.own.add(told)
        }
        touched.add(follower)
      }
    }
    // Whoever appended applies its own entries first.
    setImmediate(() => {
      for (const follower of touched) this.#advance(follower)
    })
  }

  /** Takes in what another node says. */
  hinted(hints: readonly Hint[]): void {
    const touched = new Set<Follower>()
    for (const { document, incarnation, seq, update } of hints) {
      for (const follower of this.#of(document)) {
        if (follower.lineage?.incarnation !== incarnation) this.#checkSoon(document)
        else if (seq > follower.position) {
          if (update) follower.early.set(seq, update)
          follower.wanted = Math.max(follower.wanted, seq)
          touched.add(follower)
        }
      }
    }
    for (const follower of touched) this.#advance(follower)
  }

  /**
   * Compares the heads of all documents that are followed, and reads what was missed. Where there are none, it shows
   * whether the database answers. Rejects as reading does.
   */
  async check(documents: readonly string[] = [...this.#byDocument.keys()]): Promise<void> {
    const asked = documents.flatMap((document) =>
      [...this.#of(document)].map((follower) => ({ follower, ...follower })),
    )
    const { epoch, heads } = await this.#context.readHeads(documents)
    if (epoch !== this.#epoch) {
      this.#context.log.warn({ epoch }, 'another copy of the database has taken the place of the one before')
      this.#epoch = epoch
    }
    const found = new Map(heads.map((head) => [head.document, head]))
    for (const { follower, document, position, lineage } of asked) {
      if (!this.#isActive(follower)) continue
      // An answer that was given before that of an append is out of date.
      if (follower.lineage?.incarnation !== lineage?.incarnation) this.#checkSoon(document)
      else this.#compare(follower, found.get(document), position)
    }
  }

  #remember(document: string, incarnation: number, seq: number): void {
    const known = this.#unfollowed.get(document)
    const own = known?.incarnation === incarnation ? known.own.slice(1 - MAX_UNFOLLOWED) : []
    this.#unfollowed.set(document, { incarnation, own: [...own, seq] })
  }

  #of(document: string): Iterable<Follower> {
    return this.#byDocument.get(document) ?? []
  }

  #isActive(follower: Follower): boolean {
    return this.#byDocument.get(follower.document)?.has(follower) === true
  }

  /** @param position where the follower was when the database was asked */
  #compare(follower: Follower, found: Head | undefined, position: number): void {
    const hasMoved = follower.epoch !== this.#epoch
    follower.epoch = this.#epoch
    if (!found) {
      // A document may have been removed. In another history it was never there.
      if (hasMoved) this.#lose(follower, 0)
      return
    }
    if (found.incarnation === NO_LOG.incarnation) {
      rebase(follower)
      follower.onEntries({ incarnation: NO_LOG.incarnation, entries: [], isDeleted: true })
      return
    }
    const { head } = found
    if (head < position && !follower.lineage && !hasMoved) rebase(follower)
    else if (head < position && (follower.lineage ?? found).incarnation === found.incarnation) {
      this.#lose(follower, head)
    }
    this.#goOnAs(follower, found, hasMoved)
    follower.wanted = Math.max(follower.wanted, head)
    if (follower.position < head) void this.#read(follower)
  }

  /**
   * Goes on with the document as it is now.
   * @param hasMoved whether it is that of another history: then a document made anew is one that was lost
   */
  #goOnAs(follower: Follower, lineage: Lineage, hasMoved = false): void {
    const { incarnation = lineage.incarnation } = follower.lineage ?? {}
    if (follower.lineage?.incarnation !== lineage.incarnation) follower.lineage = lineageOf(lineage)
    const last = lastStanding(incarnation, lineage)
    if (last >= follower.position) forgetAbove(follower, last)
    else if (last > 0 || hasMoved) this.#lose(follower, last)
    else rebase(follower)
  }

  /** Whoever follows has to load the document anew: no entry has this incarnation. */
  #lose(follower: Follower, last: number): void {
    const { document, position, onEntries } = follower
    if (position <= last) return
    this.#context.onLost(document, position - last)
    rebase(follower)
    onEntries({ incarnation: 0, entries: [] })
  }

  #checkSoon(document: string): void {
    if (this.#unchecked.size === 0) setImmediate(() => this.#checkUnchecked())
    this.#unchecked.add(document)
  }

  #checkUnchecked(): void {
    const documents = [...this.#unchecked].filter((document) => this.#byDocument.has(document))
    this.#unchecked = new Set()
    this.check(documents).catch((error: unknown) => this.#failed(error))
  }

  /** Reports what comes next, as far as it is there. */
  #advance(follower: Follower): void {
    if (!this.#isActive(follower) || follower.isReading) return
    const entries: LogEntry[] = []
    for (;;) {
      const seq = follower.position + 1
      const update = follower.early.get(seq)
      if (!follower.own.delete(seq)) {
        if (!update) break
        entries.push({ seq, update })
      }
      follower.early.delete(seq)
      follower.position = seq
    }
    this.#report(follower, entries)
    if (follower.position >= follower.wanted) {
      follower.gap?.()
      follower.gap = undefined
      return
    }
    follower.gap ??= this.#context.clock.after(GAP_MS, () => {
      follower.gap = undefined
      void this.#read(follower)
    })
  }

  /** Reports from the log what was not hinted at. */
  async #read(follower: Follower): Promise<void> {
    if (follower.isReading || !this.#isActive(follower)) return
    follower.isReading = true
    const { wanted } = follower
    try {
      const part = await this.#context.readFrom(follower.document, follower.position)
      // Some of it may be this node's own, and not answered yet.
      await this.#context.settled()
      if (part && this.#isActive(follower)) this.#takeRead(follower, part)
    } catch (error) {
      this.#failed(error)
    }
    // What is not there although somebody said so is not looked for until heads are compared next.
    if (follower.wanted === wanted) follower.wanted = follower.position
    follower.isReading = false
    this.#advance(follower)
  }

  #takeRead(follower: Follower, { incarnation, entries, head }: LogPart & { readonly head: number }): void {
    if (follower.lineage?.incarnation !== incarnation) {
      this.#checkSoon(follower.document)
      return
    }
    const news = entries.filter(({ seq }) => seq > follower.position && !follower.own.has(seq))
    follower.position = Math.max(follower.position, entries.at(-1)?.seq ?? head)
    for (const numbers of [follower.own, follower.early]) {
      for (const seq of numbers.keys()) if (seq <= follower.position) numbers.delete(seq)
    }
    this.#report(follower, news)
  }

  #report({ onEntries, lineage = NO_LOG }: Follower, entries: readonly LogEntry[]): void {
    if (entries.length > 0) onEntries({ ...lineage, entries })
  }

  /** What was missed is found again when heads are compared next. */
  #failed(error: unknown): void {
    if (!this.#isClosed) this.#context.log.warn({ err: error }, 'what other servers wrote could not be read')
  }
}

/** Its numbers are no longer those of the database. */
function rebase(follower: Follower): void {
  follower.position = 0
  follower.wanted = 0
  follower.own.clear()
  follower.early.clear()
}

/** What was told above this number was of a history that has ended. */
function forgetAbove({ own, early }: Follower, last: number): void {
  for (const numbers of [own, early]) {
    for (const seq of numbers.keys()) if (seq > last) numbers.delete(seq)
  }
}
