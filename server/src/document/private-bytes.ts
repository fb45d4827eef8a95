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

  /** Lends so many bytes of the limit, to be asked for before they are made; false where they would pass it. */
  borrow(bytes: number): boolean {
    if (bytes > this.#max - this.#held) return false
    this.#held += bytes
    return true
  }

  /** Takes back bytes that are not held any more. */
  repay(bytes: number): void {
    this.#held -= bytes
  }
}
