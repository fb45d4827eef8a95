import type { Clock } from '../../common/timing.ts'
import type { Config } from '../../config/config.ts'
import type { Contents } from '../../content/contents.ts'
import type { WatchedRoot } from '../../content/requests.ts'
import type { Documents } from '../../document/documents.ts'
import { PresenceFeed } from './presence-feed.ts'
import { ValueFeed } from './value-feed.ts'

/** How long a feed goes on without readers, whose connections may just have broken. */
const IDLE_MS = 30_000
/** Feeds without readers that go on; of more the oldest end. */
const MAX_IDLE = 256

export interface FeedsContext {
  readonly config: Config
  readonly clock: Clock
  readonly documents: Documents
  readonly contents: Contents
}

/** What streams share, each for as long as somebody reads it. */
export class Feeds {
  readonly #context: FeedsContext
  readonly #values = new Map<string, ValueFeed>()
  readonly #presence = new Map<string, PresenceFeed>()
  /** What ends those of the values that nobody reads; the oldest first. */
  readonly #idle = new Map<string, () => void>()

  constructor(context: FeedsContext) {
    this.#context = context
  }

  values(document: string, root: WatchedRoot, isResumed: boolean): ValueFeed {
    const key = JSON.stringify([document, root.as, root.root])
    this.#idle.delete(key)
    const found = this.#values.get(key)
    if (found) return found
    const forget = () => {
      if (this.#values.get(key) === feed) this.#values.delete(key)
      this.#idle.delete(key)
    }
    const feed: ValueFeed = new ValueFeed(document, root, isResumed, {
      ...this.#context,
      onIdle: () => {
        if (this.#values.get(key) === feed) this.#rest(key, feed, forget)
      },
      onEnd: forget,
    })
    this.#values.set(key, feed)
    return feed
  }

  presence(document: string): PresenceFeed {
    const found = this.#presence.get(document)
    if (found) return found
    const feed = new PresenceFeed(document, { ...this.#context, onIdle: () => this.#presence.delete(document) })
    this.#presence.set(document, feed)
    return feed
  }

  #rest(key: string, feed: ValueFeed, forget: () => void): void {
    const end = () => {
      forget()
      feed.end()
    }
    this.#idle.set(key, end)
    const [oldest] = this.#idle
    if (this.#idle.size > MAX_IDLE) oldest?.[1]()
    this.#context.clock.after(IDLE_MS, () => {
      if (this.#idle.get(key) === end) end()
    })
  }
}
