import { KIND } from './content.ts'
import type { StructRun } from './runs.ts'
import type { ScannedUpdate, Section } from './scan.ts'
import { NO_CLIENT, StructReader } from './structs.ts'

export interface WalkOptions {
  /** The next clock that is known of a client, before the walk. */
  readonly known: (client: number) => number
  /** Whether ids that a Skip struct leaves out count as known. */
  readonly gapsAreKnown: boolean
  /** Structs that are not visited, nor what builds on them. */
  readonly holdsBack?: (struct: StructReader) => boolean
  /** Called for each struct that brings something new, once all it builds on is known; `offset` of its ids are not new. */
  readonly visit: (cursor: SectionCursor, struct: StructReader, offset: number) => void
}

/** How far the walk has come in one section. */
export class SectionCursor {
  readonly client: number
  /** The next clock known of the client: from before, or visited. */
  known: number
  /** The next struct: its offset, its clock, and how many there are from it on. */
  position: number
  clock: number
  left: number
  /** While waited for: the clock that the waiting section needs. */
  goal = Number.POSITIVE_INFINITY
  /** A waiting section is on the stack; a blocked one never gets on. */
  state: 'idle' | 'waiting' | 'blocked' = 'idle'
  /** What the visitor has collected of the section. */
  run: StructRun | null = null

  constructor(section: Section, known: number) {
    this.client = section.client
    this.known = known
    this.position = section.from
    this.clock = section.clock
    this.left = section.end <= known ? 0 : section.count
  }
}

/**
 * Visits the structs of an update so that each comes after what it builds on: the structs before it of its client, its
 * origin, its right origin and its parent. A section runs until one of its structs needs an id that another section
 * still holds; then that section runs up to this id first. Where that cannot help (nobody holds the id, or those who do
 * wait for this section themselves), every section that waits is blocked for good.
 *
 * Linear in the structs: each is read at most once per reference, plus once.
 */
export function walkClosed(update: ScannedUpdate, options: WalkOptions): readonly SectionCursor[] {
  const walk = new Walk(update, options)
  walk.run()
  return walk.cursors
}

class Walk {
  readonly cursors: readonly SectionCursor[]
  readonly #options: WalkOptions
  readonly #struct: StructReader
  #byClient: ReadonlyMap<number, SectionCursor> | null = null

  constructor(update: ScannedUpdate, options: WalkOptions) {
    this.#options = options
    this.#struct = new StructReader(update.bytes, false)
    this.cursors = update.sections.map((section) => new SectionCursor(section, options.known(section.client)))
  }

  run(): void {
    for (const cursor of this.cursors) {
      if (cursor.state !== 'idle' || cursor.left === 0) continue
      cursor.goal = Number.POSITIVE_INFINITY
      this.#runFrom(cursor)
    }
  }

  #runFrom(start: SectionCursor): void {
    const stack = [start]
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      top.state = 'waiting'
      const needed = this.#advance(top)
      if (needed === 'unknown') {
        for (const cursor of stack) cursor.state = 'blocked'
        return
      }
      if (needed !== null) {
        stack.push(needed)
        continue
      }
      top.state = 'idle'
      stack.pop()
    }
  }

  /** Visits structs up to the section's goal or its end. Returns the section that has to run first, if one has to. */
  #advance(cursor: SectionCursor): SectionCursor | 'unknown' | null {
    const struct = this.#struct
    while (cursor.left > 0 && cursor.known <= cursor.goal) {
      struct.position = cursor.position
      struct.read(cursor.client, cursor.clock)
      if (struct.end > cursor.known && !this.#isGap(struct)) {
        if (struct.clock > cursor.known || this.#options.holdsBack?.(struct)) return 'unknown'
        const needed = this.#firstNeeded(struct)
        if (needed !== null) return needed
        this.#options.visit(cursor, struct, cursor.known - struct.clock)
        cursor.known = struct.end
      }
      cursor.position = struct.position
      cursor.clock = struct.end
      cursor.left--
    }
    return null
  }

  #isGap(struct: StructReader): boolean {
    return struct.kind === KIND.skip && !this.#options.gapsAreKnown
  }

  #firstNeeded(struct: StructReader): SectionCursor | 'unknown' | null {
    return (
      this.#needed(struct, struct.originClient, struct.originClock) ??
      this.#needed(struct, struct.rightOriginClient, struct.rightOriginClock) ??
      this.#needed(struct, struct.parentClient, struct.parentClock)
    )
  }

  /** Ids of the struct's own client lie before it, so they are known when the struct is next. */
  #needed(struct: StructReader, client: number, clock: number): SectionCursor | 'unknown' | null {
    if (client === NO_CLIENT || client === struct.client) return null
    const cursor = this.#cursorOf(client)
    if (cursor === undefined) return this.#options.known(client) > clock ? null : 'unknown'
    if (cursor.known > clock) return null
    if (cursor.state !== 'idle' || cursor.left === 0) return 'unknown'
    cursor.goal = clock
    return cursor
  }

  #cursorOf(client: number): SectionCursor | undefined {
    this.#byClient ??= new Map(this.cursors.map((cursor) => [cursor.client, cursor]))
    return this.#byClient.get(client)
  }
}
