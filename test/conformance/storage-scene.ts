import type { Appended, LogEntry, Snapshot, StoredDocument } from '../../server/src/storage/document-store.ts'
import type { Storage } from '../../server/src/storage/storage.ts'
import { ManualClock } from '../support/manual-clock.ts'
import type { Random } from '../support/random.ts'
import type { Release } from '../support/temporary.ts'

/** Where an implementation keeps its data. */
export interface StorageHost {
  /** Opens a storage on the data; the one before must be closed. The release closes it where the test did not. */
  open(): Promise<Storage>
  /** Has another copy take the place of the data, which lacks some of what was written last. */
  failOver?(random: Random): Promise<void>
}

export type NewStorageHost = (clock: ManualClock, release: Release) => Promise<StorageHost>

/** A storage on data of its own, as each test begins with it. */
export class StorageScene {
  readonly clock: ManualClock
  readonly host: StorageHost
  storage: Storage

  constructor(clock: ManualClock, host: StorageHost, storage: Storage) {
    this.clock = clock
    this.host = host
    this.storage = storage
  }

  static async open(newHost: NewStorageHost, release: Release): Promise<StorageScene> {
    const clock = new ManualClock()
    const host = await newHost(clock, release)
    return new StorageScene(clock, host, await host.open())
  }

  /** By a writer that knows all that is in the log. */
  async append(document: string, ...updates: Uint8Array[]): Promise<readonly Appended[]> {
    const { head, incarnation } = await this.storage.load(document)
    return this.storage.append(updates.map((update) => ({ document, update, base: head, incarnation })))
  }

  async reopen(): Promise<void> {
    await this.storage.close()
    this.storage = await this.host.open()
  }

  namesWith(prefix: string): Promise<readonly string[]> {
    return this.storage.list(prefix, undefined, 1000)
  }
}

export function bytes(...values: number[]): Uint8Array {
  return Uint8Array.from(values)
}

/** Bytes that repeat nowhere soon. */
export function random(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => Math.imul(index, 2_654_435_761) >>> 24)
}

export function snapshot(seq: number, ...chunks: Uint8Array[]): Snapshot {
  return { seq, chunks, stateVector: bytes(1, 2, 3), deleteSet: bytes(0) }
}

export function entry(seq: number, ...values: number[]): LogEntry {
  return { seq, update: bytes(...values) }
}

export function numbersOf(entries: readonly LogEntry[] | undefined): number[] | undefined {
  return entries?.map(({ seq }) => seq)
}

/** Those of which all numbers up to the head are valid. */
export function validIncarnations({ incarnation, earlierIncarnations = [], head }: StoredDocument): number[] {
  return [incarnation, ...earlierIncarnations.flatMap((earlier) => (earlier.last >= head ? [earlier.incarnation] : []))]
}

export function numbersAfter(after: number, last: number): number[] {
  return Array.from({ length: last - after }, (_, index) => after + 1 + index)
}
