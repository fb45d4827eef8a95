/** How many there are under each key, up to a limit. Without a key nothing is counted. */
export class Quota {
  readonly #max: number
  readonly #held = new Map<string, number>()

  constructor(max: number) {
    this.#max = max
  }

  hasPlace(key: string | undefined): boolean {
    return key === undefined || this.#heldBy(key) < this.#max
  }

  /** Counts one more, whether or not there is a place. Returns what is to be called once when it has gone. */
  take(key: string | undefined): () => void {
    if (key === undefined) return () => undefined
    this.#held.set(key, this.#heldBy(key) + 1)
    return () => this.#giveBack(key)
  }

  #giveBack(key: string): void {
    const held = this.#heldBy(key)
    if (held > 1) this.#held.set(key, held - 1)
    else this.#held.delete(key)
  }

  #heldBy(key: string): number {
    return this.#held.get(key) ?? 0
  }
}
