/**
 * Which of the messages of one connection are durable. Counts Step2 and Update messages in the order received; what is
 * acknowledged is a prefix of them.
 */
export class Acknowledgements {
  /** The last message that waits for each ticket, oldest first; tickets only grow. */
  readonly #waiting: { ticket: number; count: number }[] = []
  #received = 0
  #acknowledged = 0
  #hasStep2 = false
  #isHeld = false

  /**
   * An Update came: durable with `ticket`, or not `complete`: a Step2 must fill a hole before it first, or bring what was
   * refused of it, be it a Step2 itself.
   */
  update(ticket: number, complete: boolean): void {
    this.#count(ticket)
    if (!complete) this.#isHeld = true
  }

  /**
   * A Step2 came: all that this client had integrated so far is known. Before the first, nothing is acknowledged: a
   * delete has no clock, so an Update before it proves nothing about what was deleted offline.
   *
   * What waited for it counts with it and not with its own ticket: that was the one of the edits before it, for what
   * was left over of it comes with the Step2.
   */
  step2(ticket: number): void {
    if (!this.#hasStep2 || this.#isHeld) this.#waiting.length = 0
    this.#count(ticket)
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

  #count(ticket: number): void {
    this.#received++
    const last = this.#waiting.at(-1)
    if (last?.ticket === ticket) last.count = this.#received
    else this.#waiting.push({ ticket, count: this.#received })
  }
}
