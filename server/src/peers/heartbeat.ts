import { type Clock, Condition } from '../common/timing.ts'

/** What a heartbeat needs of a WebSocket. */
export interface Peer {
  /** Whether what it sends, its answers too, is not being read at present. */
  readonly isPaused: boolean
  ping(): void
  terminate(): void
  once(event: 'pong', listener: () => void): unknown
  off(event: 'pong', listener: () => void): unknown
}

/** How long a peer may take to answer when somebody else claims what is its own. */
const CHALLENGE_MS = 2_000

/** Finds out by pings whether a peer is still there: half-open sockets say nothing by themselves. */
export class Heartbeat {
  readonly #peer: Peer
  readonly #clock: Clock
  readonly #intervalMs: number
  #lastPingAt: number
  #lastHeardAt: number
  #isAnswerDue = false
  #challenge: Promise<boolean> | undefined

  constructor(peer: Peer, clock: Clock, intervalMs: number) {
    this.#peer = peer
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#lastPingAt = clock.now()
    this.#lastHeardAt = this.#lastPingAt
  }

  get lastHeardAt(): number {
    return this.#lastHeardAt
  }

  /** To be called when the peer sent something, or took what it was sent. */
  heard(): void {
    this.#isAnswerDue = false
    this.#lastHeardAt = this.#clock.now()
  }

  /** Pings once an interval; cuts the peer that left the last ping unanswered, unless its answer is held up here. */
  tick(now: number): void {
    if (now - this.#lastPingAt < this.#intervalMs) return
    if (this.#isAnswerDue && !this.#peer.isPaused) {
      this.#peer.terminate()
      return
    }
    this.#isAnswerDue = true
    this.#lastPingAt = now
    this.#peer.ping()
  }

  /**
   * Resolves whether the peer answers a ping in time, unless its answer is held up here. Who asks meanwhile waits for the
   * same answer: a flood of claims is one ping to the peer that they are about.
   */
  challenge(): Promise<boolean> {
    this.#challenge ??= this.#ask().finally(() => {
      this.#challenge = undefined
    })
    return this.#challenge
  }

  async #ask(): Promise<boolean> {
    const answer = new Condition()
    const answered = () => answer.notify()
    const inTime = answer.waitFor(this.#clock, CHALLENGE_MS)
    this.#peer.once('pong', answered)
    this.#peer.ping()
    if (await inTime) return true
    this.#peer.off('pong', answered)
    return this.#peer.isPaused
  }
}
