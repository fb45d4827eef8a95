/** A map that forgets the entries used longest ago when all of them together have more than `limit`. */
export class Recent<K, V> {
  readonly #limit: number
  readonly #sizeOf: (value: V) => number
  readonly #entries = new Map<K, V>()
  #size = 0

  /** @param sizeOf what an entry counts for, always the same of one. Default: 1 */
  constructor(limit: number, sizeOf: (value: V) => number = () => 1) {
    this.#limit = limit
    this.#sizeOf = sizeOf
  }

  get(key: K): V | undefined {
    const value = this.#entries.get(key)
    if (value !== undefined) this.set(key, value)
    return value
  }

  set(key: K, value: V): void {
    this.delete(key)
    this.#entries.set(key, value)
    this.#size += this.#sizeOf(value)
    for (const oldest of this.#entries.keys()) {
      if (this.#size <= this.#limit) return
      this.delete(oldest)
    }
  }

  delete(key: K): void {
    const value = this.#entries.get(key)
    if (value === undefined) return
    this.#entries.delete(key)
    this.#size -= this.#sizeOf(value)
  }
}
