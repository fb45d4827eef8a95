import { atOnce, type Steps } from '../../common/turns.ts'
import { ByteReader, MAX_CLIENTS } from '../wire/reader.ts'
import { ByteWriter } from '../wire/writer.ts'
import { IdSet } from './id-set.ts'
import { encodeDeleteSet, type IdRanges, NO_RANGES, readInParts } from './ranges.ts'
import type { ScannedUpdate } from './scan.ts'
import { MAX_CLOCK } from './structs.ts'

/** Clients that are read in one step. */
const STEP_CLIENTS = 8192

/** The next clock of each client. */
export type Clocks = ReadonlyMap<number, number>

/** What `takeNews` looks up, and advances by what it takes. */
export interface Known {
  readonly clocks: Pick<Clocks, 'get'>
  /** Notes that all ids of the client below `clock` are known. */
  advance(client: number, clock: number): void
  /** Notes deletions and returns those that bring something new. */
  delete(deletes: IdRanges): IdRanges
}

/** What a log contains: all ids below each client's clock, since a log has no holes, and which of them are deleted. */
export class KnownState implements Known {
  readonly #clocks: Map<number, number>
  readonly #deleted = new IdSet()

  /** @param clocks are kept and advanced: copying a million takes a tenth of a second */
  constructor(clocks = new Map<number, number>()) {
    this.#clocks = clocks
  }

  /**
   * Decodes what `encodeStateVector` and `encodeDeleteSet` wrote, in steps, since a million clients take half a second.
   * @throws CoeditError MESSAGE_MALFORMED, UPDATE_MALFORMED
   */
  static *decode(stateVector: Uint8Array, deleteSet: Uint8Array): Steps<KnownState> {
    const state = new KnownState()
    yield* readStateVector(stateVector, (client, clock) => state.advance(client, clock))
    for (const part of readInParts(deleteSet)) {
      state.delete(part)
      yield
    }
    return state
  }

  get clocks(): Clocks {
    return this.#clocks
  }

  get deleted(): IdRanges {
    return this.#deleted.ranges
  }

  /** How many ranges of ids are deleted. */
  get deletedRanges(): number {
    return this.#deleted.size
  }

  hasDeleted(deletes: IdRanges): boolean {
    for (const [client, ranges] of deletes) if (!this.#deleted.has(client, ranges)) return false
    return true
  }

  /** Takes over an update of the log itself, which is closed and disjoint from those before it. */
  absorb(update: ScannedUpdate): void {
    for (const { client, end } of update.sections) this.advance(client, end)
    this.delete(update.deletes)
  }

  advance(client: number, clock: number): void {
    this.#clocks.set(client, clock)
  }

  delete(deletes: IdRanges): IdRanges {
    if (deletes.size === 0) return NO_RANGES
    const added = new Map<number, number[]>()
    for (const [client, ranges] of deletes) {
      const news = this.#deleted.add(client, ranges)
      if (news.length > 0) added.set(client, news)
    }
    return added
  }

  /** In Yjs' encoding. Yjs sorts the clients and reads them in any order: sorting a million takes 0.3 s (measured). */
  encodeStateVector(): Uint8Array {
    const writer = new ByteWriter()
    writer.varUint(this.#clocks.size)
    for (const [client, clock] of this.#clocks) {
      writer.varUint(client)
      writer.varUint(clock)
    }
    return writer.finish()
  }

  /** In Yjs' encoding (v1). */
  encodeDeleteSet(): Uint8Array {
    return encodeDeleteSet(this.#deleted.ranges)
  }
}

/** What is known beyond a state that stays as it is. */
export class Overlay implements Known {
  readonly clocks = { get: (client: number) => this.#clocks.get(client) ?? this.#base.clocks.get(client) }
  readonly #base: KnownState
  readonly #clocks = new Map<number, number>()
  readonly #deleted = new IdSet()

  constructor(base: KnownState) {
    this.#base = base
  }

  advance(client: number, clock: number): void {
    this.#clocks.set(client, clock)
  }

  delete(deletes: IdRanges): IdRanges {
    const added = new Map<number, number[]>()
    for (const [client, ranges] of deletes) {
      if (this.#base.hasDeleted(new Map([[client, ranges]]))) continue
      const news = this.#deleted.add(client, ranges)
      if (news.length > 0) added.set(client, news)
    }
    return added
  }
}

/**
 * Reads the state vector that a client sent.
 * @param among clients that matter; others are left out: keeping a million that nobody knows would take 0.7 s (measured)
 * @throws CoeditError MESSAGE_MALFORMED
 */
export function decodeStateVector(bytes: Uint8Array, among?: Clocks): Map<number, number> {
  const clocks = new Map<number, number>()
  const visit = (client: number, clock: number) => {
    if (!among || among.has(client)) clocks.set(client, clock)
  }
  atOnce(readStateVector(bytes, visit))
  return clocks
}

/** Whether `clocks` contains all that an encoded state vector contains, without decoding it to a map. */
export function coversStateVector(clocks: Clocks, stateVector: Uint8Array): boolean {
  let covers = true
  const visit = (client: number, clock: number) => {
    if ((clocks.get(client) ?? 0) < clock) covers = false
  }
  atOnce(readStateVector(stateVector, visit))
  return covers
}

/** Whether `clocks` contains all that `known` contains. */
export function coversState(clocks: Clocks, known: Clocks): boolean {
  for (const [client, clock] of known) {
    if ((clocks.get(client) ?? 0) < clock) return false
  }
  return true
}

function* readStateVector(bytes: Uint8Array, visit: (client: number, clock: number) => void): Steps<void> {
  const reader = new ByteReader(bytes, 0, 'MESSAGE_MALFORMED')
  const count = reader.count(2, 'clients')
  if (count > MAX_CLIENTS) reader.fail(`${count} clients, more than ${MAX_CLIENTS}`, 0)
  for (let i = 0; i < count; i++) {
    const client = reader.varUint()
    const clock = reader.varUint()
    if (clock > MAX_CLOCK) reader.fail(`client ${client}: a clock of ${clock}, expected at most 2^32`)
    visit(client, clock)
    if (i % STEP_CLIENTS === STEP_CLIENTS - 1) yield
  }
  reader.expectEnd()
}
