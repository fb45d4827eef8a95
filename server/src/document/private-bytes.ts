/**
 * Bounds what is made for single readers, all documents together. What everybody gets is held once however many read
 * it; what only one gets is held until that one has read it, and a thousand who read nothing would each hold a document.
 */
export class PrivateBytes {
  readonly #max: number
  #held = 0

  /** @param max bytes at once; 0 where nothing is to be made for anybody alone */
  constructor(max: number) {
    this.#max = max
  }

  get held(): number {
    return this.#held
  }

  /** Lends so many bytes of the limit, to be asked for before they are made; undefined where they would pass it. */
  borrow(bytes: number): Loan | undefined {
    if (bytes > this.#max - this.#held) return undefined
    return new Loan(bytes, (change) => {
      this.#held += change
    })
  }
}

/** Bytes that are lent, until all of them are paid back. */
export class Loan {
  readonly #change: (bytes: number) => void
  #left = 0

  constructor(bytes: number, change: (bytes: number) => void) {
    this.#change = change
    this.settle(bytes)
  }

  /** Corrects how many bytes are lent, once it is known what was made. */
  settle(bytes: number): void {
    this.#change(bytes - this.#left)
    this.#left = bytes
  }

  /** Gives back bytes that are no longer held. */
  repay(bytes: number): void {
    this.settle(this.#left - bytes)
  }
}
