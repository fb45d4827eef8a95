/** Runs jobs one after the other, in the order they were given. A job that fails does not stop the next. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve()

  run<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#last.then(job)
    this.#last = result.catch(() => undefined) // the caller holds `result`; here only its end matters
    return result
  }

  /** Resolves when every job given so far has ended. */
  async idle(): Promise<void> {
    await this.#last
  }
}
