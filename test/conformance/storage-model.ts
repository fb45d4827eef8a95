import fc from 'fast-check'
import { expect } from 'vitest'
import type { Snapshot } from '../../server/src/storage/document-store.ts'
import type { Storage } from '../../server/src/storage/storage.ts'
import { type StorageHost, validIncarnations } from './storage-scene.ts'

const NAMES = ['a', 'b', 'ab', '__proto__']

export type Operation =
  | { type: 'append'; batch: { document: string; update: Uint8Array }[]; behind: number }
  | { type: 'compact'; document: string; behind: number; chunks: Uint8Array[]; stale: boolean }
  | { type: 'remove' | 'delete'; document: string }
  | { type: 'reopen' }
  | { type: 'compare' }

const document = fc.constantFrom(...NAMES)
const update = fc.uint8Array({ maxLength: 300 })

/** Sequences in which appends prevail. */
export const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constant('append' as const),
        batch: fc.array(fc.record({ document, update }), { maxLength: 6 }),
        behind: fc.nat(3),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('compact' as const),
        document,
        behind: fc.nat(3),
        chunks: fc.array(update, { minLength: 1, maxLength: 4 }),
        stale: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('remove' as const, 'delete' as const), document }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('reopen' as const) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('compare' as const) }) },
  ),
  { maxLength: 30 },
)

interface ModelDocument {
  snapshot: Snapshot | null
  tail: { seq: number; update: Uint8Array }[]
  incarnation: number
}

/** A storage in a few maps, and the real one that it must agree with. */
export class StorageModel {
  readonly #host: StorageHost
  readonly #documents = new Map<string, ModelDocument>()
  /** Of documents that were deleted. */
  readonly #former = new Map<string, Uint8Array>()
  #deletions = 0
  #storage: Storage

  constructor(host: StorageHost, storage: Storage) {
    this.#host = host
    this.#storage = storage
  }

  async run(operation: Operation): Promise<void> {
    switch (operation.type) {
      case 'append':
        return this.#append(operation)
      case 'compact':
        return this.#compact(operation)
      case 'remove':
        this.#documents.delete(operation.document)
        this.#former.delete(operation.document)
        return this.#storage.remove(operation.document)
      case 'delete':
        return this.#delete(operation.document)
      case 'reopen':
        return this.#reopen()
      case 'compare':
        return this.compare()
    }
  }

  async compare(): Promise<void> {
    const written = [...this.#documents.keys()].sort()
    expect(await this.#storage.list('', undefined, 100)).toEqual(written)
    for (const name of NAMES) {
      const expected = this.#documents.get(name)
      const { snapshot = null, tail = [], incarnation = 0 } = expected ?? {}
      const head = tail.at(-1)?.seq ?? snapshot?.seq ?? 0
      const { earlierIncarnations: _, quarantined = [], ...stored } = await this.#storage.load(name)
      const formerClients = this.#former.get(name)
      const deletion = formerClients && { formerClients, ...(!expected && { isDeleted: true }) }
      expect(stored).toEqual({ head, snapshot, tail, incarnation, ...deletion })
      expect(quarantined).toEqual([])
      for (const after of [head + 1, head, head - 1, head - 2]) {
        const isThere = after <= head && after >= (snapshot?.seq ?? 0)
        const entries = tail.filter(({ seq }) => seq > after)
        const part = await this.#storage.readAfter(name, after)
        expect(part && { incarnation: part.incarnation, entries: part.entries }).toEqual(
          isThere ? { incarnation, entries } : null,
        )
      }
      const facts = {
        head,
        snapshotBytes: sum(snapshot?.chunks ?? []),
        tailEntries: tail.length,
        tailBytes: sum(tail.map((entry) => entry.update)),
      }
      const stat = await this.#storage.stat(name)
      if (expected) expect(stat).toMatchObject(facts)
      else expect(stat).toBeUndefined()
    }
  }

  async #reopen(): Promise<void> {
    await this.#storage.close()
    this.#storage = await this.#host.open()
    for (const [name, model] of this.#documents) {
      const stored = await this.#storage.load(name)
      expect(validIncarnations(stored)).toContain(model.incarnation)
      model.incarnation = stored.incarnation
    }
  }

  async #append({ batch, behind }: Extract<Operation, { type: 'append' }>): Promise<void> {
    const bases = new Map(batch.map(({ document }) => [document, Math.max(0, this.#headOf(document) - behind)]))
    const requests = batch.map((entry) => ({ ...entry, base: bases.get(entry.document) ?? 0 }))
    const isGone = ({ document }: { document: string }) => this.#former.has(document) && !this.#documents.has(document)
    if (requests.some(isGone)) {
      await expect(this.#storage.append(requests)).rejects.toMatchObject({ code: 'GONE' })
      for (const request of requests) Object.assign(request, { anew: true })
    }
    const appended = await this.#storage.append(requests)
    for (const [index, { document, update }] of batch.entries()) {
      const { seq, incarnation, between } = appended[index]
      const model = this.#documents.get(document) ?? { snapshot: null, tail: [], incarnation }
      expect(seq).toBe(headOf(model) + 1)
      expect(incarnation).toBe(model.incarnation)
      const base = bases.get(document)
      bases.delete(document)
      const isThere = base !== undefined && base >= (model.snapshot?.seq ?? 0)
      expect(between).toEqual(isThere ? model.tail.filter((entry) => entry.seq > base) : [])
      model.tail.push({ seq, update })
      this.#documents.set(document, model)
    }
  }

  async #delete(document: string): Promise<void> {
    const formerClients = Uint8Array.of(++this.#deletions)
    const incarnation = this.#documents.get(document)?.incarnation
    expect(await this.#storage.delete(document, { incarnation, formerClients })).toBe(true)
    this.#documents.delete(document)
    this.#former.set(document, formerClients)
  }

  #headOf(document: string): number {
    const model = this.#documents.get(document)
    return model ? headOf(model) : 0
  }

  async #compact(operation: Extract<Operation, { type: 'compact' }>): Promise<void> {
    const model = this.#documents.get(operation.document)
    const current = model?.snapshot?.seq ?? 0
    const seq = Math.max(1, current, this.#headOf(operation.document) - operation.behind)
    const isPossible = model !== undefined && !operation.stale
    const replaces = operation.stale ? current + 1 : current
    const { chunks } = operation
    const snapshot = { seq, chunks, stateVector: Uint8Array.of(0), deleteSet: null }
    expect(await this.#storage.compact(operation.document, { snapshot, replaces })).toBe(isPossible)
    if (!model || !isPossible) return
    model.snapshot = snapshot
    model.tail = model.tail.filter((entry) => entry.seq > seq)
  }
}

function headOf({ snapshot, tail }: ModelDocument): number {
  return tail.at(-1)?.seq ?? snapshot?.seq ?? 0
}

function sum(updates: readonly Uint8Array[]): number {
  return updates.reduce((bytes, { length }) => bytes + length, 0)
}
