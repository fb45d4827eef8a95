import { JsonWatch } from './json-watch.ts'
import type { Watch, WatchNews, WatchStep } from './requests.ts'
import type { RootWatch } from './root-watch.ts'
import type { Roots } from './roots.ts'
import { TextWatch } from './text-watch.ts'

interface Going {
  readonly watch: Watch
  root: RootWatch | undefined
  /** Up to where its changes were taken. */
  position: number
  begun: number | undefined
  steps: WatchStep[]
}

/** The roots of a document whose changes are told, in steps from one log position to another. */
export class Watches {
  readonly #roots: Roots
  readonly #going = new Map<number, Going>()

  constructor(roots: Roots) {
    this.#roots = roots
  }

  /** From now on these go on, and no others. */
  keep(watches: readonly Watch[]): void {
    const ids = new Set(watches.map(({ id }) => id))
    for (const [id, { root }] of this.#going) {
      if (ids.has(id)) continue
      root?.end()
      this.#going.delete(id)
    }
    for (const watch of watches) {
      if (this.#going.has(watch.id)) continue
      this.#going.set(watch.id, { watch, root: undefined, position: 0, begun: undefined, steps: [] })
    }
  }

  /** The document is as it is at this log position, and more follows. */
  pass(position: number): void {
    for (const going of this.#going.values()) {
      if (going.root || going.watch.fromSnapshot) this.#step(going, position)
    }
  }

  /** The document is as it is at this log position: gives what was noted up to there. */
  arrive(position: number): readonly WatchNews[] {
    const news: WatchNews[] = []
    for (const [id, going] of this.#going) {
      this.#step(going, position)
      const { begun, steps } = going
      const isUnfit = going.root?.isUnfit ?? false
      going.begun = undefined
      going.steps = []
      if (begun !== undefined || steps.length > 0 || isUnfit) news.push({ id, begun, steps, isUnfit })
    }
    return news
  }

  #step(going: Going, position: number): void {
    const { root, watch } = going
    if (root) {
      const changes = root.take()
      if (changes.length > 0) {
        going.steps.push({ after: going.position, position, changes: JSON.stringify(changes) })
      }
    } else {
      going.root = watch.as === 'text' ? new TextWatch(this.#roots, watch.root) : new JsonWatch(this.#roots, watch.root)
      going.begun = position
    }
    going.position = position
  }
}
