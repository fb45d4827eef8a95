import { randomBytes } from 'node:crypto'
import { cursorId } from '../../document/cursor-id.ts'
import type { Document } from '../../document/document.ts'
import type { PresenceStep } from '../../document/subscriber.ts'
import { encodePresence, isAbsent, type PresenceEntry } from '../../protocol/wire/awareness.ts'
import { messageIn } from '../../protocol/wire/bodies.ts'
import { presenceFrame } from '../../protocol/wire/frames.ts'
import { dataLine } from '../event-data.ts'
import type { EventOutput } from './event-output.ts'
import { observer } from './presence-feed.ts'
import { Updates, type UpdatesContext } from './updates.ts'

const BEGINNING = Buffer.from(': here\n\n')

export interface MessagesContext extends UpdatesContext {
  /** Whose own presence is left out; it is told when others take it for gone. */
  readonly clientId: number | undefined
  /** Tells the versions of the presence of one document from those of another time, or server. */
  readonly lives: Lives
}

/** A name for each presence there is. */
export class Lives {
  readonly #names = new WeakMap<object, string>()

  of({ presence }: Document): string {
    const known = this.#names.get(presence)
    if (known !== undefined) return known
    const name = randomBytes(6).toString('hex')
    this.#names.set(presence, name)
    return name
  }
}

/** A message of the presence, made once for all who are shown the same. */
const shown = new WeakMap<readonly PresenceEntry[], Uint8Array>()

/**
 * What a WebSocket would bring: edits, and who is here. The id of an event that tells of presence also says up to where
 * that was told, behind a dot, so that a stream goes on with it, too.
 */
export class Messages extends Updates {
  readonly #context: MessagesContext
  readonly #participant = observer()
  /** Undefined before it was told who is here. */
  #version: number | undefined

  constructor(context: MessagesContext) {
    super(context)
    this.#context = context
  }

  override begin(output: EventOutput, onEnd: (error?: unknown) => void): void {
    // A client that gets no byte of this knows that something on the way keeps back what comes.
    output.write(BEGINNING, 'nothing')
    super.begin(output, onEnd)
  }

  override end(): void {
    const { cursor } = this
    // Where the document ends nobody leaves it.
    if (cursor && !cursor.hasEnded) cursor.document.presence.leave(this.#participant)
    super.end()
  }

  protected override get options() {
    return { participant: this.#participant }
  }

  protected override joined(document: Document): void {
    document.presence.join(this.#participant)
    const [, life, version = ''] = /\.([0-9a-f]+)-(\d{1,15})$/.exec(this.#context.lastEventId) ?? []
    if (life === this.#context.lives.of(document)) this.#version = Number(version)
  }

  protected override caughtUp(step?: PresenceStep | null): void {
    const [cursor, output] = [this.cursor, this.output]
    if (!cursor || !output || output.isFull || cursor.isBusy || step === null) return
    const { presence } = cursor.document
    const version = this.#version
    const { version: reached, entries } =
      step && step.after === version
        ? step
        : { version: presence.version, entries: presence.since(version ?? 0, undefined) }
    if (reached === version) return
    this.#version = reached
    const { incarnation } = cursor.document
    const place = cursorId({ incarnation, position: cursor.position ?? 0 })
    const id = `${place}.${this.#context.lives.of(cursor.document)}-${reached}`
    output.write(this.#dataOf(entries), 'nothing')
    // Who begins has just been told what it knows already, most of the time.
    output.write(Buffer.from(`id: ${id}\n\n`), version === undefined ? 'nothing' : 'news')
  }

  #dataOf(entries: readonly PresenceEntry[]): Uint8Array {
    const { clientId } = this.#context
    const isOwn = (entry: PresenceEntry) => entry.clientId === clientId && !isAbsent(entry.state)
    if (entries.some(isOwn)) return dataOf(entries.filter((entry) => !isOwn(entry)))
    const made = shown.get(entries) ?? dataOf(entries)
    shown.set(entries, made)
    return made
  }
}

function dataOf(entries: readonly PresenceEntry[]): Uint8Array {
  return Buffer.from(dataLine([messageIn(presenceFrame(encodePresence(entries)))]))
}
