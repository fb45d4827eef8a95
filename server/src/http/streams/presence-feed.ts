import type { Cancel, Clock } from '../../common/timing.ts'
import type { Config } from '../../config/config.ts'
import type { Cursor } from '../../document/cursor.ts'
import type { Documents } from '../../document/documents.ts'
import { Pacing } from '../../document/pacing.ts'
import type { Participant } from '../../document/participant.ts'
import { isAbsent, type PresenceEntry } from '../../protocol/wire/awareness.ts'

/** A reader, as the feed sees it. */
interface Reader {
  /** There may be something new. */
  resume(): void
  stop(error?: unknown): void
}

export interface PresenceFeedContext {
  readonly config: Config
  readonly clock: Clock
  readonly documents: Documents
  /** Called when nobody reads any more. */
  readonly onIdle: () => void
}

/** Who is in a document, as events for all who read that. What changes while they are told is gathered for the next event. */
export class PresenceFeed {
  readonly #context: PresenceFeedContext
  readonly #readers = new Set<Reader>()
  readonly #pacing: Pacing
  #tellingMs = 0
  #cancelRest: Cancel | undefined
  #cursor: Cursor | undefined
  /** Takes part without showing anything, so that other servers tell who is there. */
  readonly #participant = observer()
  #hasEnded = false
  /** What readers know, in JSON by client id. */
  #present = new Map<number, string>()
  /** What they do not know yet; absent states are undefined. */
  #changed = new Map<number, string | undefined>()
  #version = 0
  #last: Uint8Array = Buffer.of()
  #all: { readonly version: number; readonly bytes: Uint8Array } | undefined
  /** Resolves when it is known who is there. Rejects as joining does. */
  readonly begun: Promise<void>

  constructor(name: string, context: PresenceFeedContext) {
    this.#context = context
    const { documentBusyShare: busyShare, maxGatherMs } = context.config
    this.#pacing = new Pacing({ busyShare, maxGatherMs }, context.clock, () => this.#tellingMs)
    this.begun = this.#begin(name)
    // Each reader is told by itself.
    this.begun.catch(() => undefined)
  }

  get version(): number {
    return this.#version
  }

  add(reader: Reader): void {
    this.#readers.add(reader)
  }

  delete(reader: Reader): void {
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return
    this.#end()
    this.#context.onIdle()
  }

  /** An event that brings somebody up to date who knows that version, or nothing. */
  since(version: number | undefined): Uint8Array {
    if (version === this.#version - 1) return this.#last
    if (this.#all?.version !== this.#version) {
      this.#all = { version: this.#version, bytes: eventOf({ present: [...this.#present.values()] }) }
    }
    return this.#all.bytes
  }

  async #begin(name: string): Promise<void> {
    const cursor = await this.#context.documents.join(name, {
      participant: this.#participant,
      onFlush: ({ presence }) => {
        if (presence) this.#note(cursor.newPresence(presence))
      },
      onEnd: () => {
        this.#hasEnded = true
        for (const reader of [...this.#readers]) reader.stop()
      },
    })
    if (this.#hasEnded) return cursor.release()
    this.#cursor = cursor
    cursor.document.presence.join(this.#participant)
    for (const entry of cursor.wholePresence()) this.#present.set(entry.clientId, shownOf(entry))
  }

  #end(): void {
    this.#cancelRest?.()
    // Where the document ends nobody leaves it.
    if (!this.#hasEnded) this.#cursor?.document.presence.leave(this.#participant)
    this.#hasEnded = true
    this.#cursor?.release()
  }

  #note(entries: readonly PresenceEntry[]): void {
    for (const entry of entries) this.#changed.set(entry.clientId, isAbsent(entry.state) ? undefined : shownOf(entry))
    if (!this.#cancelRest) this.#tell()
  }

  #tell(): void {
    const { clock } = this.#context
    const restMs = this.#pacing.restMs()
    if (restMs > 0) {
      this.#cancelRest = clock.after(restMs, () => {
        this.#cancelRest = undefined
        this.#tell()
      })
      return
    }
    const news = this.#takeChanged()
    if (!news) return
    const startedAt = clock.now()
    this.#last = eventOf(news)
    this.#version++
    for (const reader of this.#readers) reader.resume()
    this.#tellingMs += clock.now() - startedAt
  }

  /** Renewals are no news. */
  #takeChanged(): News | undefined {
    const news = { joined: [] as string[], changed: [] as string[], left: [] as string[] }
    for (const [clientId, shown] of this.#changed) {
      const known = this.#present.get(clientId)
      if (shown === known) continue
      if (shown === undefined) {
        this.#present.delete(clientId)
        news.left.push(String(clientId))
      } else {
        this.#present.set(clientId, shown)
        news[known === undefined ? 'joined' : 'changed'].push(shown)
      }
    }
    this.#changed.clear()
    return Object.values(news).some(({ length }) => length > 0) ? news : undefined
  }
}

/** Lists of what is JSON already. */
type News = Readonly<Record<string, readonly string[]>>

/** It has no id, so that a stream goes on behind what was written. */
function eventOf(news: News): Uint8Array {
  const lists = Object.entries(news).filter(([name, list]) => list.length > 0 || name === 'present')
  return Buffer.from(`event: presence\ndata: {${lists.map(([name, list]) => `"${name}":[${list.join()}]`).join()}}\n\n`)
}

/** The state is parsed, since JSON may hold line ends. */
function shownOf({ clientId, state }: PresenceEntry): string {
  return JSON.stringify({ clientId, state: JSON.parse(Buffer.from(state).toString()) })
}

/** Who shows nothing. */
export function observer(): Participant {
  return {
    user: undefined,
    mayRemember: false,
    mayRepeat: false,
    lastHeardAt: 0,
    show: () => undefined,
    refusePresence: () => undefined,
    isAlive: () => Promise.resolve(true),
  }
}
