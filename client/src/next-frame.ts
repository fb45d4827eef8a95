/** Runs a task in the next animation frame, once however often it is requested; soon, in a page that has none now. */
export class NextFrame {
  readonly #document: Document
  readonly #task: () => void
  #isRequested = false

  constructor(document: Document, task: () => void) {
    this.#document = document
    this.#task = task
  }

  request(): void {
    if (this.#isRequested) return
    this.#isRequested = true
    const run = () => this.flush()
    if (this.#document.hidden) setTimeout(run)
    else requestAnimationFrame(run)
  }

  /** Runs what is requested now: to be called as well when the page is hidden, and its frame will not come. */
  flush(): void {
    if (!this.#isRequested) return
    this.cancel()
    this.#task()
  }

  cancel(): void {
    this.#isRequested = false
  }
}
