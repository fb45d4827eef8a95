import { isDeepStrictEqual } from 'node:util'
import * as Y from 'yjs'
import { within } from '../bench/within.ts'
import { Ledger } from '../support/ledger.ts'
import type { Random } from '../support/random.ts'
import { inScope } from '../support/scope.ts'
import { freshCopy, syncedClient } from '../support/stock-clients.ts'
import type { Release } from '../support/temporary.ts'
import { elementsIn, Typist, textIn } from '../support/typist.ts'
import { changedWithin, untilChanged } from '../support/until.ts'
import { connectWitnessed, synced, type Witness, type WitnessedClient } from '../support/witness.ts'

const DOCUMENTS = ['one', 'two', 'three']
/** By document, where nothing else is said. */
const CLIENTS = 2
/** At most so many promises are waited for between two faults. */
const MOST_PROMISES = 60
/** Enough that a compaction takes a while, so that many faults fall into one. */
const BODY = 'All of this was here before. '.repeat(3_000)
/** Far above what a busy machine takes. */
const LIMIT_MS = 60_000

/** Each document is compacted all the time, into several chunks. */
export const COMPACTING = [
  '--compact-max-entries',
  '40',
  '--compact-min-bytes',
  '0',
  '--chunk-bytes',
  '16384',
  '--compact-interval-ms',
  '0',
]

/** Where somebody looks for a document: at a server, or wherever else a copy comes from. */
export type Place = string | ((document: string) => Promise<Y.Doc>)

export interface CirclesOptions {
  /** Where the clean-up goes: the clients are destroyed. */
  readonly release: Release
  /** A function is asked before each connection. */
  readonly url: string | (() => string)
  readonly random: Random
  /** Default: three. */
  readonly documents?: readonly string[]
  /** Those of each document. The first gets no acknowledgements: it is as stock as they come. Default: 2. */
  readonly clients?: number
  /** Of each of them between two edits, at most. Default: that of a typist. */
  readonly maxPauseMs?: number
  /** What counts as a promise. Default: what was acknowledged or shown. */
  readonly witnessOf?: (ledger: Ledger) => Witness
}

/** People who edit several documents, and what each document was promised to them. */
export class Circles {
  readonly documents: readonly string[]
  readonly #circles: readonly Circle[]
  readonly #random: Random

  constructor(options: CirclesOptions) {
    this.documents = options.documents ?? DOCUMENTS
    this.#random = options.random
    this.#circles = this.documents.map((document) => new Circle(document, options))
  }

  get clients(): number {
    return this.#circles.reduce((sum, { clients }) => sum + clients, 0)
  }

  /** How many updates were promised. */
  get promised(): number {
    return this.#circles.reduce((sum, { ledger }) => sum + ledger.promises, 0)
  }

  /** Resolves when everybody is connected and types. */
  async start(): Promise<void> {
    await within(LIMIT_MS, 'all to be synced', Promise.all(this.#circles.map((circle) => circle.start())))
  }

  stop(): void {
    for (const circle of this.#circles) circle.stop()
  }

  /** Has everybody give up their connections, whatever their state, and come back over new ones. */
  reconnect(): void {
    for (const circle of this.#circles) circle.reconnect()
  }

  /** Resolves when a document, any of them, has been promised some more updates. */
  async goOn(): Promise<void> {
    const { ledger } = this.#random.pick(this.#circles)
    await within(LIMIT_MS, 'further promises', ledger.grows(1 + this.#random.below(MOST_PROMISES)))
  }

  /** Resolves when each document has been promised `updates` more. Rejects when that takes longer than `ms`. */
  async allGrow(updates: number, ms = LIMIT_MS): Promise<void> {
    await within(ms, `${updates} promises`, Promise.all(this.#circles.map(({ ledger }) => ledger.grows(updates))))
  }

  /** What of the promises made until now is not kept at the place, in words. */
  async brokenAt(place: Place): Promise<string[]> {
    return (await Promise.all(this.#circles.map((circle) => circle.brokenAt(place)))).flat()
  }

  /**
   * Has everybody write something, and resolves when all of a document have what each of them had written by then: with
   * the milliseconds that this took, by document.
   */
  inStep(): Promise<number[]> {
    return Promise.all(this.#circles.map((circle) => circle.inStep()))
  }

  /** Resolves when, with nobody typing any more, all show the same, which is what was written. */
  async converge(): Promise<void> {
    this.stop()
    await Promise.all(this.#circles.map((circle) => circle.converged()))
  }

  /**
   * Where somebody who comes to the place now would see something else than these people, in words.
   * @param patienceMs for how many milliseconds more a server may bring them the rest. Default: 0
   */
  async differencesAt(place: Place, patienceMs = 0): Promise<string[]> {
    return (await Promise.all(this.#circles.map((circle) => circle.differencesAt(place, patienceMs)))).flat()
  }
}

/** A document with those who edit it. */
class Circle {
  readonly ledger = new Ledger()
  readonly #document: string
  readonly #clients: readonly WitnessedClient[]
  readonly #typists: readonly Typist[]

  constructor(document: string, options: CirclesOptions) {
    const { release, url, random, clients = CLIENTS, maxPauseMs, witnessOf = promising } = options
    this.#document = document
    this.#clients = Array.from({ length: clients }, (_, index) =>
      connectWitnessed({ release, url, document, witness: witnessOf(this.ledger), acknowledges: index > 0 }),
    )
    this.#typists = this.#clients.map(({ doc }, index) => new Typist(`${document}-${index}`, doc, random, maxPauseMs))
    release(async () => this.stop())
  }

  get clients(): number {
    return this.#clients.length
  }

  async start(): Promise<void> {
    await Promise.all(this.#clients.map(synced))
    textIn(this.#clients[0].doc).insert(0, BODY)
    for (const typist of this.#typists) typist.start()
  }

  stop(): void {
    for (const typist of this.#typists) typist.stop()
  }

  reconnect(): void {
    for (const { provider } of this.#clients) {
      provider.disconnect()
      provider.connect()
    }
  }

  async brokenAt(place: Place): Promise<string[]> {
    const promised = this.ledger.copy()
    const doc = await this.#copyAt(place)
    return promised.brokenIn(doc, elementsIn(doc)).map((broken) => `'${this.#document}': ${broken}`)
  }

  async inStep(): Promise<number> {
    const start = performance.now()
    for (const typist of this.#typists) typist.type()
    const docs = this.#clients.map(({ doc }) => doc)
    const written = docs.map(({ store, clientID }) => ({ clientID, clock: Y.getState(store, clientID) }))
    const lackedBy = ({ store }: Y.Doc) => written.filter(({ clientID, clock }) => Y.getState(store, clientID) < clock)
    const isInStep = await changedWithin(LIMIT_MS, docs, () => docs.every((doc) => lackedBy(doc).length === 0))
    if (isInStep) return performance.now() - start
    const lagging = this.#clients.map(({ doc, provider: { url, wsconnected, synced } }) => {
      const lacked = lackedBy(doc).map(({ clientID }) => clientID)
      return `${doc.clientID} at ${url} (${JSON.stringify({ wsconnected, synced })}) lacks edits of ${lacked.join(', ') || 'nobody'}`
    })
    throw new Error(`not in step after ${LIMIT_MS / 1000} s: ${lagging.join('; ')}`)
  }

  converged(): Promise<void> {
    const docs = this.#clients.map(({ doc }) => doc)
    const total = this.#written.length
    return untilChanged(docs, `the clients of '${this.#document}' show the same`, () => {
      const [first, ...others] = docs
      if (docs.some((doc) => elementsIn(doc).length !== total)) return false
      return others.every((doc) => isDeepStrictEqual(contentOf(doc), contentOf(first)))
    })
  }

  async differencesAt(place: Place, patienceMs: number): Promise<string[]> {
    if (typeof place !== 'string') return this.#differences(await this.#copyAt(place), 'as it is stored')
    return inScope(async (release) => {
      const { doc } = await this.#within(syncedClient({ release, url: place, document: this.#document }))
      await changedWithin(patienceMs, [doc], () => this.#isWhatWasWritten(doc))
      return this.#differences(doc, `at ${place}`)
    })
  }

  #differences(doc: Y.Doc, where: string): string[] {
    if (this.#isWhatWasWritten(doc)) return []
    const counts = `${elementsIn(doc).length} of ${this.#written.length} elements`
    const text = textIn(doc).toString() === textIn(this.#shown).toString() ? 'the text' : 'not the text'
    return [`'${this.#document}' ${where} is not what was written: ${counts}, and ${text} that a client shows`]
  }

  #isWhatWasWritten(doc: Y.Doc): boolean {
    if (!isDeepStrictEqual(contentOf(doc), contentOf(this.#shown))) return false
    return isDeepStrictEqual(elementsIn(doc).toArray().sort(), this.#written.sort())
  }

  get #shown(): Y.Doc {
    return this.#clients[0].doc
  }

  get #written(): string[] {
    return this.#typists.flatMap(({ written }) => written)
  }

  #copyAt(place: Place): Promise<Y.Doc> {
    const document = this.#document
    return this.#within(
      typeof place === 'string' ? inScope((release) => freshCopy({ release, url: place, document })) : place(document),
    )
  }

  #within<T>(copy: Promise<T>): Promise<T> {
    return within(LIMIT_MS, `a copy of '${this.#document}'`, copy)
  }
}

function promising(ledger: Ledger): Witness {
  return {
    acknowledged: (edits) => ledger.promiseAll(edits),
    shown: (update) => ledger.promise(update),
  }
}

function contentOf(doc: Y.Doc): unknown {
  return { text: textIn(doc).toString(), elements: elementsIn(doc).toArray() }
}
