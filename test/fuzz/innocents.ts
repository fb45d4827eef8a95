import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { isPending } from '../support/editing.ts'
import { hocuspocusLine } from '../support/hocuspocus-clients.ts'
import { Ledger } from '../support/ledger.ts'
import type { Random } from '../support/random.ts'
import { inScope } from '../support/scope.ts'
import { syncedClient } from '../support/stock-clients.ts'
import type { Release } from '../support/temporary.ts'
import { untilChanged } from '../support/until.ts'
import { connectWitnessed, synced } from '../support/witness.ts'

const MAX_PAUSE_MS = 50
/** A provider does not tell with which code it lost its document or its socket. */
const KEYED_LOSS = 0
const WORDS = ['a', 'word ', '😀', 'line\n', '漢字']

export interface InnocentsOptions {
  readonly release: Release
  /** Where each of them is: one person a server, or several at one. */
  readonly urls: readonly string[]
  readonly document: string
  readonly random: Random
  /** Whether there is one more at each of these, with @hocuspocus/provider. */
  readonly isMixed?: boolean
}

/** People who edit a document with y-websocket, or @hocuspocus/provider, as it comes, and what the servers acknowledged to them. */
export class Innocents {
  readonly document: string
  readonly #ledger = new Ledger()
  readonly #people: Person[]
  readonly #losses: number[] = []

  constructor(options: InnocentsOptions) {
    this.document = options.document
    const witness = {
      acknowledged: (edits: readonly Uint8Array[]) => this.#ledger.promiseAll(edits),
      closed: (code: number) => this.#losses.push(code),
    }
    this.#people = options.urls.map((url, index) => {
      const { release, document } = options
      const name = `person ${index + 1}`
      const client = connectWitnessed({ release, url, document, witness, acknowledges: true, doc: newDoc() })
      const { awareness } = client.provider
      return new Person({ name, doc: client.doc, awareness, ready: () => synced(client) }, options.random)
    })
    if (options.isMixed) this.#people.push(...options.urls.map((url, index) => this.#keyedAt(url, index, options)))
    options.release(async () => this.stop())
  }

  async start(): Promise<void> {
    await Promise.all(this.#people.map((person) => person.ready()))
    for (const person of this.#people) person.start()
  }

  stop(): void {
    for (const person of this.#people) person.stop()
  }

  /** Resolves when, with nobody editing any more, all have everything; rejects when that does not come to be. */
  async converge(): Promise<void> {
    this.stop()
    for (const person of this.#people) person.edit()
    const docs = this.#people.map(({ doc }) => doc)
    const isAlike = () => docs.every((doc) => this.#isWhole(doc)) && differencesOf(docs).length === 0
    try {
      await untilChanged(docs, `all editors of '${this.document}' show the same`, isAlike)
    } catch (cause) {
      const whole = docs.map((doc) => (this.#isWhole(doc) ? 'whole' : 'not whole'))
      throw new Error(`'${this.document}' is ${whole.join(', ')}; it differs in ${differencesOf(docs)}`, { cause })
    }
  }

  /** What did not go as it should for them, in words. */
  get complaints(): string[] {
    const closed = this.#losses.map((code) => `an innocent editor of '${this.document}' was closed with ${code}`)
    const unseen = this.#people.filter((person) => !this.#people.every(({ name }) => person.sees(name)))
    return [...closed, ...unseen.map(({ name }) => `'${name}' of '${this.document}' does not see the others`)]
  }

  /** What was acknowledged to them, or shown by one to the other, and is not at `url`, in words. */
  async brokenAt(url: string): Promise<string[]> {
    const doc = await this.#copyAt(url)
    const broken = this.#ledger.brokenIn(doc, notesIn(doc))
    if (!this.#isWhole(doc)) broken.push('not all notes are there')
    return broken.map((what) => `'${this.document}': ${what}`)
  }

  get promises(): number {
    return this.#ledger.promises
  }

  /** Somebody with the other protocol. What it is told to be durable is looked for as what it has written. */
  #keyedAt(url: string, index: number, { release, document, random }: InnocentsOptions): Person {
    const line = hocuspocusLine({ release, url })
    const client = line.attach({ document, doc: newDoc() })
    const { awareness } = client.provider
    if (!awareness) throw new Error('a provider without awareness')
    client.provider.on('close', () => this.#losses.push(KEYED_LOSS))
    return new Person({ name: `keyed ${index + 1}`, doc: client.doc, awareness, ready: () => client.synced() }, random)
  }

  #isWhole(doc: Y.Doc): boolean {
    const written = this.#people.flatMap(({ written }) => written)
    return !isPending(doc) && isDeepStrictEqual(notesIn(doc).toArray().toSorted(), written.toSorted())
  }

  #copyAt(url: string): Promise<Y.Doc> {
    return inScope(async (release) => {
      const { doc, provider } = await syncedClient({ release, url, document: this.document, doc: newDoc() })
      provider.disconnect()
      return doc
    })
  }
}

/** A client, whichever it is. */
interface Client {
  readonly name: string
  readonly doc: Y.Doc
  readonly awareness: Awareness
  /** Resolves when it has what the server has. */
  readonly ready: () => Promise<void>
}

class Person {
  readonly name: string
  readonly doc: Y.Doc
  readonly ready: () => Promise<void>
  readonly #awareness: Awareness
  readonly written: string[] = []
  readonly #random: Random
  #isEditing = false

  constructor({ name, doc, awareness, ready }: Client, random: Random) {
    this.name = name
    this.doc = doc
    this.ready = ready
    this.#awareness = awareness
    this.#random = random
    awareness.setLocalStateField('name', name)
  }

  /** Edits, with pauses, until told to stop. */
  async start(): Promise<void> {
    this.#isEditing = true
    while (this.#isEditing) {
      this.edit()
      await pause(this.#random.below(MAX_PAUSE_MS))
    }
  }

  stop(): void {
    this.#isEditing = false
  }

  edit(): void {
    const { doc } = this
    const note = `${this.name} ${this.written.length}`
    doc.transact(() => {
      notesIn(doc).insert(this.#random.below(notesIn(doc).length + 1), [note])
      this.#type(proseIn(doc))
    })
    this.written.push(note)
  }

  sees(name: string): boolean {
    return [...this.#awareness.getStates().values()].some((state) => state.name === name)
  }

  #type(prose: Y.Text): void {
    const at = this.#random.below(prose.length + 1)
    if (this.#random.chance(0.7)) prose.insert(at, this.#random.pick(WORDS))
    else prose.delete(at, Math.min(prose.length - at, 3))
  }
}

/**
 * Without garbage collection: a vandal can write what makes Yjs throw while it collects, in its own document, and then
 * a client there is as good as dead. What is watched here is the server.
 */
function newDoc(): Y.Doc {
  return new Y.Doc({ gc: false })
}

/** Types that no hostile input names, so that nobody but the innocent edits them. */
function notesIn(doc: Y.Doc): Y.Array<unknown> {
  return doc.getArray('notes')
}

function proseIn(doc: Y.Doc): Y.Text {
  return doc.getText('prose')
}

/** In what the documents differ, in words. */
function differencesOf(docs: readonly Y.Doc[]): string[] {
  const editors = docs.map(({ clientID }) => clientID)
  const aspects: readonly [string, (doc: Y.Doc) => unknown][] = [
    ['notes', (doc) => notesIn(doc).toArray()],
    ['prose', (doc) => proseIn(doc).toString()],
    ['clocks', clocksOf],
    ['deletions', (doc) => deletedIn(doc, editors)],
  ]
  const areAlike = (aspect: (doc: Y.Doc) => unknown) => {
    const [first, ...others] = docs.map(aspect)
    return others.every((other) => isDeepStrictEqual(other, first))
  }
  return aspects.filter(([, aspect]) => !areAlike(aspect)).map(([name]) => name)
}

/**
 * What is deleted of these clients' edits. Of what a vandal wrote Yjs itself deletes more or less, as the order has it
 * in which it comes: items whose neighbours lie under different map keys, for one.
 */
function deletedIn({ store }: Y.Doc, clients: readonly number[]): unknown {
  const deleted = Y.createDeleteSetFromStructStore(store).clients
  return clients.map((client) => deleted.get(client)?.map(({ clock, len }) => [clock, len]))
}

function clocksOf(doc: Y.Doc): Map<number, number> {
  return Y.decodeStateVector(Y.encodeStateVector(doc))
}
