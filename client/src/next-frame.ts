/** Runs a task in the next animation frame, once however often it is requested; soon, in a page that has none now. */
export class NextFrame {
  readonly #document: Document
  readonly #task: () => void
  #cancel: (() => void) | null = null

  constructor(document: Document, task: () => void) {
    this.#document = document
    this.#task = task
  }

  request(): void {
    this.#cancel ??= this.#schedule()
  }

  /** Runs what is requested now: a page that is hidden gets the frame that it waits for when it is shown again. */
  flush(): void {
    if (this.#cancel === null) return
    this.cancel()
    this.#task()
  }

  cancel(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  #schedule(): () => void {
    const run = () => this.flush()
    const view = this.#document.defaultView
    if (view === null || this.#document.hidden) {
      const timer = setTimeout(run)
      return () => clearTimeout(timer)
    }
    const frame = view.requestAnimationFrame(run)
    return () => view.cancelAnimationFrame(frame)
  }
}
