import type { Unfollow } from '../document-store.ts'
import type { Run } from './link.ts'

/** Tells those who follow a table that other nodes may have changed it. */
export class SummaryWatch {
  readonly #run: Run
  readonly #text: string
  readonly #followers = new Set<() => void>()
  #summary: string | undefined

  /** @param text a query of a `summary` that is another one whenever the table is */
  constructor(text: string, run: Run) {
    this.#text = text
    this.#run = run
  }

  add(onChange: () => void): Unfollow {
    const follower = () => onChange()
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  tell(): void {
    for (const follower of this.#followers) follower()
  }

  /** Tells them where what is stored is not what it was the last time. Rejects as reading does. */
  async check(): Promise<void> {
    if (this.#followers.size === 0) return
    const [row] = await this.#run((link) => link.query<{ summary: string }>({ text: this.#text }))
    if (row?.summary === this.#summary) return
    this.#summary = row?.summary
    this.tell()
  }
}
