/**
 * What one socket has sent, and how much of it the server has stored. Step2 and Update messages count, in the order
 * sent; the server answers with how many of them, from the first on, are durable.
 */
export class Ledger {
  #sent = 0
  #durable = 0
  /** Whether what was sent is all that the document holds. A Step2 is; what was edited before is in no Update. */
  #isComplete = false

  /** Whether all that the document holds is durable on the server. */
  get settled(): boolean {
    return this.#isComplete && this.#durable === this.#sent
  }

  sentStep2(): void {
    this.#sent += 1
    this.#isComplete = true
  }

  sentUpdate(): void {
    this.#sent += 1
  }

  /** An edit was made that could not be sent: the socket is being opened or closed. */
  missedUpdate(): void {
    this.#isComplete = false
  }

  /** A count that falls, or that exceeds what was sent, is not one of ours to believe. */
  acknowledge(count: number): void {
    if (count > this.#durable && count <= this.#sent) this.#durable = count
  }
}
