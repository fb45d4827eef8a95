import { expect } from 'vitest'
import type * as Y from 'yjs'
import { isPending } from './editing.ts'
import { freshCopy, type StockClient, stockClient, syncedClient } from './stock-clients.ts'
import type { Release } from './temporary.ts'
import { untilChanged } from './until.ts'

export interface BystanderOptions {
  readonly release: Release
  readonly url: string
  /** Other servers with the same documents, to which some of them go. */
  readonly others?: readonly string[]
  /** The document on which somebody is about to misbehave. */
  readonly document: string
}

/** Stock clients that go on working while somebody misbehaves: two on the same document and two on another. */
export class Bystanders {
  readonly #here: Group
  readonly #elsewhere: Group

  private constructor(here: Group, elsewhere: Group) {
    this.#here = here
    this.#elsewhere = elsewhere
  }

  static async join(options: BystanderOptions): Promise<Bystanders> {
    const here = new Group(options)
    const elsewhere = new Group({ ...options, document: `not ${options.document}` })
    const bystanders = new Bystanders(here, elsewhere)
    await bystanders.areUnharmed()
    return bystanders
  }

  /** Those on the document. */
  get here(): readonly StockClient[] {
    return this.#here.clients
  }

  /**
   * Has everybody write, and fails unless each reads all of it over the connection it has had since the beginning, and
   * neither they nor somebody new get to see anything that they did not write.
   * @param others ids of clients who may have written, too
   */
  async areUnharmed(...others: readonly number[]): Promise<void> {
    await Promise.all([this.#here.isUnharmed(others), this.#elsewhere.isUnharmed([])])
  }
}

class Group {
  readonly clients: readonly StockClient[]
  /** Where somebody new comes to. */
  readonly #newcomer: BystanderOptions
  #written = 0

  constructor(options: BystanderOptions) {
    const [second = options.url, last = second] = options.others ?? []
    this.#newcomer = { ...options, url: last }
    this.clients = [
      stockClient({ ...options, version: '3.1.0' }),
      stockClient({ ...options, url: second, version: '2.1.0' }),
    ]
  }

  async isUnharmed(others: readonly number[]): Promise<void> {
    const { clients } = this
    for (const { doc } of clients) notesIn(doc).push([`${++this.#written}`])
    const docs = clients.map(({ doc }) => doc)
    await untilChanged(docs, `bystanders read ${this.#written} notes`, () =>
      docs.every((doc) => notesIn(doc).length === this.#written),
    )
    const ids = docs.map((doc) => doc.clientID)
    await Promise.all(clients.map((client) => client.sees(...ids)))
    expect(clients.map(({ losses }) => losses)).toEqual([0, 0])
    const writers = new Set([...ids, ...others])
    for (const doc of [...docs, await this.#newcomersCopy()]) this.#holdsOnly(writers, doc)
  }

  async #newcomersCopy(): Promise<Y.Doc> {
    const { others = [] } = this.#newcomer
    if (others.length === 0) return freshCopy(this.#newcomer)
    const { doc, provider } = await syncedClient(this.#newcomer)
    // What was written at other servers may not have come to this one yet.
    await untilChanged([doc], `a newcomer reads ${this.#written} notes`, () => notesIn(doc).length >= this.#written)
    provider.destroy()
    return doc
  }

  #holdsOnly(writers: ReadonlySet<number>, doc: Y.Doc): void {
    expect(notesIn(doc).toArray().toSorted()).toEqual(numbers(this.#written).toSorted())
    expect([...doc.store.clients.keys()].filter((id) => !writers.has(id))).toEqual([])
    expect(isPending(doc)).toBe(false)
  }
}

function notesIn(doc: Y.Doc): Y.Array<string> {
  return doc.getArray('notes')
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index + 1}`)
}
