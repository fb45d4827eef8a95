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

  /** Counts one more, whether or not there is a place. */
  take(key: string | undefined): void {
    if (key !== undefined) this.#held.set(key, this.#heldBy(key) + 1)
  }

  /** To be called once for each `take`, with the same key, when it has gone. */
  giveBack(key: string | undefined): void {
    if (key === undefined) return
    const held = this.#heldBy(key)
    if (held > 1) this.#held.set(key, held - 1)
    else this.#held.delete(key)
  }

  #heldBy(key: string): number {
    return this.#held.get(key) ?? 0
  }
}
