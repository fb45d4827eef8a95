/** Keeps byte strings by key, those that were used last, up to so many bytes. */
export class RecentBytes {
  readonly #maxBytes: number
  readonly #kept = new Map<string, Uint8Array>()
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Undefined also where there is no key. */
  get(key: string | undefined): Uint8Array | undefined {
    const found = key === undefined ? undefined : this.#kept.get(key)
    if (key !== undefined && found) this.set(key, found)
    return found
  }

  set(key: string | undefined, bytes: Uint8Array): void {
    if (key === undefined) return
    this.#forget(key)
    this.#kept.set(key, bytes)
    this.#bytes += bytes.length
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#maxBytes) return
      this.#forget(oldest)
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#kept.get(key)?.length ?? 0
    this.#kept.delete(key)
  }
}
