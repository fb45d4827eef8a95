/** Functions to be told of something. One that throws keeps no other from its call: its error is reported as uncaught. */
export class Listeners<T> {
  readonly #entries = new Set<(value: T) => void>()

  /** Returns what ends the calls. A function that is added twice is called twice, and each is ended by itself. */
  add(listener: (value: T) => void): () => void {
    const entry = (value: T) => listener(value)
    this.#entries.add(entry)
    return () => this.#entries.delete(entry)
  }

  notify(value: T): void {
    for (const entry of [...this.#entries]) {
      try {
        entry(value)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  clear(): void {
    this.#entries.clear()
  }
}
