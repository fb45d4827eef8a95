/**
 * What one socket has sent, and how much of it the server has stored. Step2 and Update messages count, in the order
 * sent; the server answers with how many of them, from the first on, are durable.
 */
export class Ledger {
  #sent = 0
  #durable = 0
  /** Whether what was sent is all that the document holds. A Step2 is; what was edited before is in no Update. */
  #isComplete = false
  /** The update that is being timed: one at a time. */
  #timed: { readonly number: number; readonly sentAt: number } | undefined

  /** Whether all that the document holds is durable on the server. */
  get settled(): boolean {
    return this.#isComplete && this.#durable === this.#sent
  }

  sentStep2(): void {
    this.#sent += 1
    this.#isComplete = true
  }

  /** @param now in milliseconds, as for `acknowledge` */
  sentUpdate(now: number): void {
    this.#sent += 1
    this.#timed ??= { number: this.#sent, sentAt: now }
  }

  /** An edit was made that could not be sent: the socket is being opened or closed. */
  missedUpdate(): void {
    this.#isComplete = false
  }

  /**
   * A count that falls, or that exceeds what was sent, is not one of ours to believe. Returns how long the update that was
   * timed took, in milliseconds, when this is the first count that has it.
   */
  acknowledge(count: number, now: number): number | undefined {
    if (count <= this.#durable || count > this.#sent) return undefined
    this.#durable = count
    const timed = this.#timed
    if (timed === undefined || count < timed.number) return undefined
    this.#timed = undefined
    // The system's clock may have been set back meanwhile.
    return Math.max(0, now - timed.sentAt)
  }
}
