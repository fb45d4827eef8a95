/**
 * Which of the messages of one connection are durable. Counts Step2 and Update messages in the order received; what is
 * acknowledged is a prefix of them.
 */
export class Acknowledgements {
  /** The last message that waits for each ticket, oldest first; tickets only grow. */
  readonly #waiting: { ticket: number; count: number }[] = []
  #received = 0
  #acknowledged = 0
  #hasStep2: boolean
  #isHeld = false

  /** @param hasStep2 whether the peer has answered a Step1 before */
  constructor(hasStep2 = false) {
    this.#hasStep2 = hasStep2
  }

  /** What was acknowledged so far. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** The peer says what it has: those of our own count on, whatever they say. */
  asked(_stateVector: Uint8Array): void {}

  /** How much of the count an Update that was taken makes up, of which these are the parts. */
  weigh(_parts: readonly Uint8Array[]): number {
    return 1
  }

  /** The same of a Step2, to be asked once for each. */
  weighStep2(): number {
    return 1
  }

  /**
   * An Update came, which is durable with `ticket` if it was `complete`. If not, a Step2 must first bring what it builds
   * on or what was refused of it. A Step2 of which something was refused counts as such an Update.
   */
  update(ticket: number, complete: boolean, weight = 1): void {
    this.#count(ticket, weight)
    if (!complete) this.hold()
  }

  /** Acknowledges nothing before the next Step2. */
  hold(): void {
    this.#isHeld = true
  }

  /**
   * A Step2 came: all that this client had integrated so far is known. Before the first, nothing is acknowledged: a
   * delete has no clock, so an Update before it proves nothing about what was deleted offline.
   *
   * Updates that waited for it become durable with its ticket: theirs stood for less, since what was left out of them
   * comes only with the Step2.
   */
  step2(ticket: number, weight = 1): void {
    if (!this.#hasStep2 || this.#isHeld) this.#waiting.length = 0
    this.#count(ticket, weight)
    this.#hasStep2 = true
    this.#isHeld = false
  }

  /** The count to acknowledge now that `durableTicket` is durable; undefined where there is nothing new to say. */
  next(durableTicket: number): number | undefined {
    if (!this.#hasStep2 || this.#isHeld) return undefined
    const before = this.#acknowledged
    while (this.#waiting[0] && this.#waiting[0].ticket <= durableTicket) {
      this.#acknowledged = this.#waiting.shift()?.count ?? this.#acknowledged
    }
    return this.#acknowledged === before ? undefined : this.#acknowledged
  }

  /** Forgets what was not acknowledged, and begins as with a new connection. */
  protected restart(): void {
    this.#waiting.length = 0
    this.#received = this.#acknowledged
    this.#hasStep2 = false
    this.#isHeld = false
  }

  #count(ticket: number, weight: number): void {
    this.#received += weight
    const last = this.#waiting.at(-1)
    if (last?.ticket === ticket) last.count = this.#received
    else this.#waiting.push({ ticket, count: this.#received })
  }
}
