import { expect } from 'vitest'
import type { LogEntry, LogPart } from '../../server/src/storage/document-store.ts'
import type { Storage } from '../../server/src/storage/storage.ts'
import { encodeValues, valuesIn } from '../support/values.ts'
import type { StorageHost } from './storage-scene.ts'

const DOCUMENT = 'doc'
/** So little that reading what is missing takes several calls. */
const READ_BYTES = 10

/**
 * What a server makes of a document in a shared engine: it applies the log strictly by number, whoever wrote the entry and
 * whichever way it came. The content is numbers, each of which somebody writes once.
 */
export class Replica {
  readonly #host: StorageHost
  #storage: Storage
  #unfollow: () => void = () => undefined
  #values: number[] = []
  #incarnation = 0
  #snapshotSeq = 0
  #head = 0
  /** What was reported before its turn. */
  readonly #early = new Map<number, LogEntry>()

  private constructor(host: StorageHost, storage: Storage) {
    this.#host = host
    this.#storage = storage
  }

  static async open(host: StorageHost): Promise<Replica> {
    const replica = new Replica(host, await host.open())
    await replica.#load()
    return replica
  }

  get values(): readonly number[] {
    return this.#values
  }

  async reopen(): Promise<void> {
    await this.close()
    this.#storage = await this.#host.open()
    await this.#load()
  }

  async close(): Promise<void> {
    await this.#storage.close()
  }

  /** Writes an entry for each value, and applies what others have written before. */
  async write(values: readonly number[]): Promise<void> {
    const requests = values.map((value) => ({
      document: DOCUMENT,
      update: encodeValues([value]),
      base: this.#head,
      incarnation: this.#incarnation,
    }))
    const appended = await this.#storage.append(requests)
    const [{ seq, incarnation, between }] = appended
    expect(appended.map((answer) => answer.seq)).toEqual(values.map((_, index) => seq + index))
    expect(between.at(-1)?.seq ?? 0).toBeLessThan(seq)
    this.#take({ incarnation, entries: between })
    await this.#catchUp(seq - 1)
    this.#take({ incarnation, entries: requests.map(({ update }, index) => ({ seq: seq + index, update })) })
  }

  async compact(): Promise<void> {
    if (this.#head === 0) return
    const snapshot = { seq: this.#head, chunks: [encodeValues(this.#values)], stateVector: null, deleteSet: null }
    if (await this.#storage.compact(DOCUMENT, { snapshot, replaces: this.#snapshotSeq }))
      this.#snapshotSeq = snapshot.seq
    else await this.#load()
  }

  /** Applies the log up to a number, and what was reported after it. */
  async #catchUp(seq: number): Promise<void> {
    while (this.#head < seq) {
      const part = await this.#storage.readAfter(DOCUMENT, this.#head, READ_BYTES)
      if (part) this.#take(part)
      else await this.#load()
    }
  }

  /** Applies all that is in the log. */
  async settle(): Promise<void> {
    await this.#catchUp((await this.#storage.load(DOCUMENT)).head)
  }

  async #load(): Promise<void> {
    const stored = await this.#storage.load(DOCUMENT)
    if (stored.head < this.#head) return // it was applied while this was read
    this.#unfollow()
    this.#head = stored.head
    this.#incarnation = stored.incarnation
    this.#snapshotSeq = stored.snapshot?.seq ?? 0
    this.#values = valuesIn(stored)
    this.#unfollow = this.#storage.follow(DOCUMENT, this.#head, (part) => this.#take(part))
    this.#take({ incarnation: stored.incarnation, entries: [] })
  }

  #take({ incarnation, entries }: LogPart): void {
    if (this.#head === 0) this.#incarnation = incarnation
    expect(incarnation).toBe(this.#incarnation)
    for (const entry of entries) this.#early.set(entry.seq, entry)
    for (let next = this.#early.get(this.#head + 1); next; next = this.#early.get(this.#head + 1)) {
      this.#head = next.seq
      this.#values.push(...valuesIn({ ...NO_DOCUMENT, tail: [next] }))
    }
    for (const seq of this.#early.keys()) if (seq <= this.#head) this.#early.delete(seq)
  }
}

const NO_DOCUMENT = { head: 0, incarnation: 0, snapshot: null, tail: [] }
