/** Times in milliseconds, as many as there may be. */
export class Latencies {
  #values = new Float32Array(1024)
  #count = 0

  add(ms: number): void {
    if (this.#count === this.#values.length) {
      const grown = new Float32Array(this.#count * 2)
      grown.set(this.#values)
      this.#values = grown
    }
    this.#values[this.#count] = ms
    this.#count += 1
  }

  /** The value that the given share (0 to 1) of all values does not exceed; NaN where there is none. */
  quantile(share: number): number {
    const sorted = this.#values.slice(0, this.#count).sort()
    return sorted[Math.max(0, Math.ceil(share * this.#count) - 1)] ?? Number.NaN
  }
}
