/** Resolves `done` once `total` has been counted. */
export class Countdown {
  readonly done: Promise<void>
  #left: number
  #finish: () => void = () => undefined

  constructor(total: number) {
    this.#left = total
    this.done = new Promise((resolve) => {
      this.#finish = resolve
    })
    if (total === 0) this.#finish()
  }

  count(events = 1): void {
    this.#left -= events
    if (this.#left <= 0) this.#finish()
  }

  get left(): number {
    return this.#left
  }
}
