import * as Y from 'yjs'

/**
 * What a server has promised of one document, by acknowledging it or by showing it to somebody. It is kept in the
 * process of the clients, so that it outlives the server.
 */
export class Ledger {
  /** The next clock by client: structs have no gaps. */
  readonly #clocks = new Map<number, number>()
  readonly #deleted = new Map<string, Y.ID>()
  /** Elements of arrays, which say of content what clocks only say of ids. */
  readonly #elements = new Set<unknown>()
  #promises = 0
  #watchers: { at: number; reached: () => void }[] = []

  /** How many updates were promised. */
  get promises(): number {
    return this.#promises
  }

  /** What was promised until now. */
  copy(): Ledger {
    const copy = new Ledger()
    for (const [client, clock] of this.#clocks) copy.#clocks.set(client, clock)
    for (const [name, id] of this.#deleted) copy.#deleted.set(name, id)
    for (const element of this.#elements) copy.#elements.add(element)
    copy.#promises = this.#promises
    return copy
  }

  promise(update: Uint8Array): void {
    const { structs, ds } = Y.decodeUpdate(update)
    for (const struct of structs) this.#promiseStruct(struct)
    for (const [client, ranges] of ds.clients) {
      for (const { clock, len } of ranges) this.#promiseDeletes(client, clock, len)
    }
    this.#promises++
    for (const { at, reached } of this.#watchers) if (this.#promises >= at) reached()
  }

  promiseAll(updates: readonly Uint8Array[]): void {
    for (const update of updates) this.promise(update)
  }

  /** Resolves in the moment in which so many more updates have been promised. */
  grows(by: number): Promise<void> {
    return new Promise((resolve) => {
      const watcher = {
        at: this.#promises + by,
        reached: () => {
          this.#watchers = this.#watchers.filter((other) => other !== watcher)
          resolve()
        },
      }
      this.#watchers.push(watcher)
    })
  }

  /** What of the promises this document does not keep, in words. */
  brokenIn(doc: Y.Doc, array: Y.Array<unknown>): string[] {
    const deleted = Y.createDeleteSetFromStructStore(doc.store)
    const elements = new Set(array.toArray())
    return [
      ...[...this.#clocks]
        .map(([client, promised]) => ({ client, promised, clock: Y.getState(doc.store, client) }))
        .filter(({ promised, clock }) => clock < promised)
        .map(({ client, promised, clock }) => `client ${client} ends at ${clock}, promised ${promised}`),
      ...[...this.#deleted].filter(([, id]) => !Y.isDeleted(deleted, id)).map(([name]) => `${name} is not deleted`),
      ...[...this.#elements].filter((element) => !elements.has(element)).map((element) => `lost: ${element}`),
    ]
  }

  #promiseStruct(struct: Y.Item | Y.GC | Y.Skip): void {
    const { client, clock } = struct.id
    this.#clocks.set(client, Math.max(this.#clocks.get(client) ?? 0, clock + struct.length))
    if (!(struct instanceof Y.Item) || !(struct.content instanceof Y.ContentAny)) return
    for (const element of struct.content.arr) this.#elements.add(element)
  }

  #promiseDeletes(client: number, clock: number, length: number): void {
    for (let next = clock; next < clock + length; next++) {
      this.#deleted.set(`${client}:${next}`, Y.createID(client, next))
    }
  }
}
