/** Those who want to hear of one thing. */
export class Listeners<T> {
  readonly #entries = new Set<(value: T) => void>()

  /** Returns what ends it. A function added twice is called twice, and each is ended by itself. */
  add(listener: (value: T) => void): () => void {
    const entry = (value: T) => listener(value)
    this.#entries.add(entry)
    return () => this.#entries.delete(entry)
  }

  notify(value: T): void {
    for (const entry of [...this.#entries]) isolate(() => entry(value))
  }

  clear(): void {
    this.#entries.clear()
  }
}

/** Runs code of the application: what that throws must not keep others from their call, and is reported as uncaught. */
export function isolate(action: () => void): void {
  try {
    action()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
