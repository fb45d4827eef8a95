import { CoeditError } from '../../common/errors.ts'
import type { Serial } from '../../common/serial.ts'
import type { CompactionRequest, HistoryRules, Snapshot } from '../document-store.ts'
import type { Database, Operation, RawLevel } from './database.ts'
import type { DocumentTable } from './document-table.ts'
import { prepareHistory, readHistoryLeftovers } from './history.ts'
import type { Openings } from './incarnation.ts'
import { chunkKey, entryKey, entryRange } from './keys.ts'
import { type EntryRecord, sortRecords } from './layout.ts'
import { type Position, type Removable, readLeftovers, readMetadata } from './lookup.ts'
import { putMetadata, putSnapshot, removeKey } from './operations.ts'
import { readRange } from './read-range.ts'
import type { Reclaimer } from './reclaimer.ts'
import type { Metadata } from './records.ts'

/** A document as a compaction found it. */
interface Current extends Position {
  readonly metadata: Metadata
}

interface Replaced extends Removable {
  readonly entries: readonly EntryRecord[]
  /** When the last of the entries was written. */
  readonly updatedAt: number
}

/** What replacing a snapshot shares with the storage. */
export interface SnapshotReplacerContext {
  readonly database: Database
  readonly openings: Openings
  readonly documents: DocumentTable
  readonly reclaimer: Reclaimer
  /** What every write passes through, one at a time. */
  readonly gate: Serial
  readonly isClosing: () => boolean
}

/**
 * Replaces snapshots. The new chunks are written one by one, so that appends go on in between, under a generation that
 * nobody reads yet, and so are the parts of what goes to the history; then one small write makes it the snapshot,
 * removes what it replaces and makes the segments count. A crash before that leaves chunks and parts without meaning,
 * which the next compaction or load removes.
 *
 * To be called one at a time: what another one has written so far would look like the remains of a crash.
 */
export class SnapshotReplacer {
  readonly #context: SnapshotReplacerContext

  constructor(context: SnapshotReplacerContext) {
    this.#context = context
  }

  async compact(document: string, { snapshot, replaces, incarnation, history }: CompactionRequest): Promise<boolean> {
    const before = await this.#find(document)
    if (before?.metadata.snapshotSeq !== replaces) return false
    if (incarnation !== undefined && incarnation !== this.#context.openings.incarnationOf(before.incarnation))
      return false
    if (snapshot.seq < replaces || snapshot.seq > before.head) return false
    await this.#removeLeftovers(before)
    await this.#writeChunks(before, snapshot)
    // Nothing of this changes any more while the document is the same.
    const replaced = await this.#context.database.read((level) => readReplaced(level, before, snapshot.seq))
    const prepared = history && (await this.#prepare(before, replaced, snapshot.seq, history))
    for (const part of prepared?.parts ?? []) await this.#write([part])
    const step = { replaced, facts: prepared?.facts ?? [] }
    const isReplaced = await this.#context.gate.run(() => this.#replace(document, before, snapshot, step))
    if (!isReplaced) await this.removeLeftovers(document)
    return isReplaced
  }

  /** Removes what an interrupted compaction left. */
  async removeLeftovers(document: string): Promise<void> {
    const current = await this.#find(document)
    if (current) await this.#removeLeftovers(current)
  }

  #find(document: string): Promise<Current | undefined> {
    return this.#context.gate.run(() => this.#current(document))
  }

  async #current(document: string): Promise<Current | undefined> {
    const { database, documents } = this.#context
    const position = await documents.locate(document)
    const metadata = position && (await database.read((level) => readMetadata(level, position.id)))
    return position && metadata && { ...position, metadata }
  }

  async #removeLeftovers({ id, metadata }: Current): Promise<void> {
    const { database, reclaimer } = this.#context
    const { keys, bytes } = await database.read((level) => readLeftovers(level, id, metadata))
    const parts = await database.read((level) => readHistoryLeftovers(level, id))
    if (keys.length + parts.length === 0) return
    await this.#write([...keys, ...parts].map(removeKey))
    reclaimer.removed(bytes)
  }

  async #writeChunks({ id, metadata }: Current, snapshot: Snapshot): Promise<void> {
    for (const chunk of putSnapshot(id, metadata.generation + 1, snapshot)) await this.#write([chunk])
  }

  #write(operations: Operation[]): Promise<void> {
    const { database, gate, isClosing } = this.#context
    return gate.run(async () => {
      if (isClosing()) throw new CoeditError('STORAGE_CLOSED', 'The storage is closing: the compaction is given up.')
      await database.write(operations)
    })
  }

  #prepare(before: Current, { entries }: Replaced, seq: number, rules: HistoryRules) {
    return this.#context.database.read((level) => prepareHistory(level, before, entries, seq, rules))
  }

  /** Runs within the gate. Resolves false where the document was removed or repaired meanwhile. */
  async #replace(
    document: string,
    before: Current,
    snapshot: Snapshot,
    { replaced, facts }: { readonly replaced: Replaced; readonly facts: readonly Operation[] },
  ): Promise<boolean> {
    const { database, reclaimer } = this.#context
    const now = await this.#current(document)
    if (now?.id !== before.id || now.incarnation !== before.incarnation) return false
    await database.write([
      putMetadata(before.id, snapshotMetadata(now.metadata, snapshot, replaced.updatedAt)),
      ...replaced.keys.map(removeKey),
      ...facts,
    ])
    reclaimer.removed(replaced.bytes)
    return true
  }
}

/** What describes a document once a snapshot is what it begins with. */
export function snapshotMetadata(metadata: Metadata, snapshot: Snapshot, updatedAt: number): Metadata {
  const { seq, chunks, stateVector, deleteSet } = snapshot
  return {
    ...metadata,
    updatedAt,
    generation: metadata.generation + 1,
    snapshotSeq: seq,
    chunkCount: chunks.length,
    snapshotBytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    stateVector,
    deleteSet,
  }
}

/** The old snapshot and the entries that the new one takes in. */
async function readReplaced(level: RawLevel, { id, metadata }: Current, seq: number): Promise<Replaced> {
  const { generation, chunkCount } = metadata
  const range = { gte: entryRange(id).gte, lt: entryKey(id, seq + 1) }
  const { entries } = sortRecords(await readRange(level, range))
  const chunkKeys = Array.from({ length: chunkCount }, (_, index) => chunkKey(id, generation, index))
  return {
    entries,
    keys: [...chunkKeys, ...entries.map((entry) => entry.key)],
    bytes: entries.reduce((sum, entry) => sum + entry.value.length, metadata.snapshotBytes),
    updatedAt: entries.at(-1)?.time ?? metadata.updatedAt,
  }
}
