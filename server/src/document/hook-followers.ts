import { hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import { type Clock, Rounds } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type { HookCalls } from '../hooks/calls.ts'
import type { CursorStore } from '../storage/cursor-store.ts'
import type { Cursor } from './cursor.ts'
import type { Document } from './document.ts'
import { Follower, type Pace } from './follower.ts'
import type { DocumentSource, InProcess } from './in-process.ts'

/** How often it is looked whether a server that is gone has left something untold, in milliseconds. */
const LOOK_MS = 2_000
/** Most documents that are looked at in one go. */
const MAX_DOCUMENTS = 1_000
/** Hooks that want to hear of each commit. */
const AT_ONCE: Pace = { quietMs: 0, maxWaitMs: 0 }

export interface HookFollowersContext {
  readonly config: Pick<Config, 'changeQuietMs' | 'changeMaxWaitMs'>
  readonly clock: Clock
  readonly log: Log
  readonly hooks: HookCalls
  readonly storage: CursorStore
  readonly documents: DocumentSource
  readonly inProcess: InProcess
}

/** Tells the hooks `commit` and `change` of all documents, also of what was left untold by a server that is gone. */
export class HookFollowers {
  /** The stored cursors that are told, each named as its hook. */
  readonly cursors: readonly ('commit' | 'change')[]
  readonly #context: HookFollowersContext
  readonly #paces: Readonly<Record<'commit' | 'change', Pace>>
  readonly #byDocument = new WeakMap<Document, readonly Follower[]>()
  readonly #rounds: Rounds

  constructor(context: HookFollowersContext) {
    const { config, clock, hooks } = context
    this.#context = context
    this.#rounds = new Rounds(clock, LOOK_MS, () => this.#look())
    this.cursors = (['commit', 'change'] as const).filter((hook) => hooks.has(hook))
    this.#paces = {
      commit: AT_ONCE,
      change: { quietMs: config.changeQuietMs, maxWaitMs: config.changeMaxWaitMs },
    }
  }

  /** Follows a document from here on, for as long as it is in memory. */
  observe(document: Document): void {
    const followers = this.cursors.map((hook) => new Follower(hook, document, this.#paces[hook], this.#context))
    for (const follower of followers) follower.start()
    this.#byDocument.set(document, followers)
  }

  /** Looks for what is untold, now and from time to time. */
  start(): void {
    if (this.cursors.length > 0) this.#rounds.start()
  }

  /** Resolves when it looks for nothing any more. */
  stop(): Promise<void> {
    return this.#rounds.stop()
  }

  async #look(): Promise<void> {
    const { log, storage } = this.#context
    try {
      for (const hook of this.cursors) {
        for (const name of await storage.untold(hook, MAX_DOCUMENTS)) await this.#resume(hook, name)
      }
    } catch (error) {
      if (!this.#rounds.hasStopped) log.warn({ err: error }, 'it could not be looked up what hooks are to be told')
    }
  }

  async #resume(hook: 'commit' | 'change', name: string): Promise<void> {
    if (this.#rounds.hasStopped) return
    let cursor: Cursor
    try {
      cursor = await this.#context.documents.visit(name)
    } catch (error) {
      const { log } = this.#context
      if (!hasCode(error, 'SERVER_CLOSED')) log.warn({ err: error, hook, document: name }, 'a hook could not be told')
      return
    }
    for (const follower of this.#byDocument.get(cursor.document) ?? []) if (follower.cursor === hook) follower.resume()
    cursor.release()
  }
}
