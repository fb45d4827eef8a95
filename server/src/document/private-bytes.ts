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

  /** Room for so many bytes, to be asked for before they are made; undefined where there is none. Nobody waits for it. */
  borrow(bytes: number): Loan | undefined {
    if (bytes > this.#max - this.#held) return undefined
    return new Loan(bytes, (change) => {
      this.#held += change
    })
  }
}

/** Room that somebody has, until all of it is paid back. */
export class Loan {
  readonly #change: (bytes: number) => void
  #left = 0

  constructor(bytes: number, change: (bytes: number) => void) {
    this.#change = change
    this.settle(bytes)
  }

  /** It has turned out to be so many bytes. */
  settle(bytes: number): void {
    this.#change(bytes - this.#left)
    this.#left = bytes
  }

  /** So many of the bytes are no longer held. */
  repay(bytes: number): void {
    this.settle(this.#left - bytes)
  }
}
