import { isDeepStrictEqual } from 'node:util'
import * as Y from 'yjs'
import {
  diffUpdate,
  encodeNews,
  KnownState,
  mergeEntries,
  type News,
  type ScannedUpdate,
  scanUpdate,
  splitUpdate,
  type Taken,
  takeNews,
} from '../../server/src/protocol/update/update.ts'
import { declareTypes, isPending } from '../support/editing.ts'
import type { Input, Inputs } from './inputs.ts'
import type { Traffic } from './traffic.ts'
import { unitsIn } from './units.ts'
import { readMessage } from './verdict.ts'

/** Inputs that go to the same document, one after the other. */
export const BATCH = 100
const CHUNK_BYTES = 512
/** Of processor time. A message of this size takes well below a millisecond, a collection of garbage some more. */
const LONGEST_MS = 100

/** What takes the news of an update. */
export type Take = (update: ScannedUpdate, known: KnownState) => Taken

export interface Tally {
  inputs: number
  refused: number
  /** Messages of which something was new. */
  taken: number
  slowestMs: number
}

/** What went wrong, and the inputs that show it again. */
export class Find extends Error {
  override readonly name = 'Find'

  constructor(what: string, first: number, last: number, cause?: unknown) {
    super(`inputs ${first}-${last}: ${what}`, { cause })
  }
}

/**
 * Puts inputs to the server's protocol code in this process: what it takes must be what real Yjs applies, in the order
 * taken, merged, cut into chunks and as a difference; what it refuses must not be known to have come.
 */
export class Validator {
  readonly tally: Tally = { inputs: 0, refused: 0, taken: 0, slowestMs: 0 }
  readonly #inputs: Inputs
  readonly #traffic: Traffic
  readonly #take: Take

  /** @param take what is validated; tests pass one that errs */
  constructor(inputs: Inputs, traffic: Traffic, take: Take = takeNews) {
    this.#inputs = inputs
    this.#traffic = traffic
    this.#take = take
  }

  /** Throws a Find where something does not hold. */
  run(first: number, last: number): void {
    const history = new History(this.#traffic.base, this.#take)
    for (let number = first; number <= last; number++) {
      const input = this.#inputs.at(number)
      this.#guard(number, number, () => this.#put(input, history))
    }
    this.#guard(first, last, () => history.check())
  }

  #put({ messages }: Input, history: History): void {
    this.tally.inputs++
    for (const bytes of messages) {
      const message = this.#timed(() => readMessage(bytes))
      if (!message) {
        this.tally.refused++
        return
      }
      if (!('update' in message)) continue
      const news = this.#timed(() => history.take(message.update))
      if (news === null) continue
      this.tally.taken++
      history.append(news)
    }
  }

  #timed<T>(work: () => T): T {
    const before = process.cpuUsage()
    const result = work()
    const { user, system } = process.cpuUsage(before)
    const ms = (user + system) / 1000
    this.tally.slowestMs = Math.max(this.tally.slowestMs, ms)
    if (ms > LONGEST_MS) throw new Error(`it took ${ms.toFixed(0)} ms`)
    return result
  }

  #guard(first: number, last: number, body: () => void): void {
    try {
      body()
    } catch (error) {
      throw new Find(error instanceof Error ? error.message : String(error), first, last, error)
    }
  }
}

/** A document as the server keeps it, beside what Yjs makes of it. */
class History {
  readonly #known = new KnownState()
  readonly #log: Uint8Array[] = []
  /**
   * Without garbage collection: Yjs throws while collecting some things that only a vandal writes. The server takes
   * account of that where it collects, by copying instead.
   */
  readonly #doc = newDoc()

  readonly #take: Take

  constructor(base: Uint8Array, take: Take) {
    this.#take = take
    const news = this.take(base)
    if (news) this.append(news)
  }

  take(update: Uint8Array): News | null {
    return this.#take(scanUpdate(update), this.#known).news
  }

  append(news: News): void {
    const entry = encodeNews([news])
    Y.applyUpdate(this.#doc, entry)
    if (isPending(this.#doc)) throw new Error('Yjs left a part of an entry pending')
    this.#log.push(entry)
  }

  check(): void {
    const units = unitsIn(this.#log)
    this.#expectSame('of the entries', this.#doc)
    const merged = mergeEntries(this.#log)
    this.#expectSame('of the merged entries', docOf([merged]))
    expectUnits('merged entries', units, [merged])
    const chunks = splitUpdate(merged, CHUNK_BYTES)
    this.#expectSame('of the chunks', docOf(chunks))
    expectUnits('chunks', units, chunks)
    const firstHalf = this.#log.slice(0, this.#log.length / 2)
    const half = docOf(firstHalf)
    const lacking = diffUpdate(merged, Y.decodeStateVector(Y.encodeStateVector(half)))
    if (lacking) applyWhole(half, lacking)
    expectUnits('half and the difference', units, lacking ? [...firstHalf, lacking] : firstHalf)
    this.#expectSame('of a half and the difference', half)
  }

  #expectSame(what: string, doc: Y.Doc): void {
    if (!isDeepStrictEqual(Y.decodeStateVector(Y.encodeStateVector(doc)), new Map(this.#known.clocks))) {
      throw new Error(`the state vector ${what} is not what was taken`)
    }
    const { clients } = Y.createDeleteSetFromStructStore(doc.store)
    for (const [client, ranges] of this.#known.deleted) {
      for (let i = 0; i < ranges.length; i += 2) {
        const isDeleted = clients
          .get(client)
          ?.some(({ clock, len }) => clock <= ranges[i] && clock + len >= ranges[i + 1])
        if (!isDeleted) throw new Error(`a deletion ${what} is missing`)
      }
    }
  }
}

function expectUnits(what: string, expected: ReadonlyMap<string, string>, updates: readonly Uint8Array[]): void {
  const units = unitsIn(updates)
  for (const [id, unit] of expected) {
    if (units.get(id) !== unit) throw new Error(`the ${what} say of ${id} ${units.get(id)}, the entries ${unit}`)
  }
  if (units.size !== expected.size) throw new Error(`the ${what} have ids that no entry has`)
}

function newDoc(): Y.Doc {
  return declareTypes(new Y.Doc({ gc: false }))
}

function docOf(updates: readonly Uint8Array[]): Y.Doc {
  const doc = newDoc()
  for (const update of updates) applyWhole(doc, update)
  return doc
}

function applyWhole(doc: Y.Doc, update: Uint8Array): void {
  Y.applyUpdate(doc, update)
  if (isPending(doc)) throw new Error('Yjs left a part of an update pending')
}
