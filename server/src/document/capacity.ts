import type { Config } from '../config/config.ts'
import type { KnownState, ScannedUpdate } from '../protocol/update/update.ts'

/** Deletions free capacity only with the next compaction, and need some until then: this part of `maxDocumentBytes`. */
const FOR_DELETIONS = 1 / 8
/** What a range of deleted ids takes in memory: two numbers. */
const DELETED_RANGE_BYTES = 16

/** Bytes that a document still takes, as the option `maxDocumentBytes` counts them. */
export interface Capacity {
  readonly forStructs: number
  readonly forDeletions: number
}

export interface Admitted {
  readonly part: ScannedUpdate
  /** False where something new was left out. */
  readonly isWhole: boolean
}

export function capacityLeft(encodedBytes: number, known: KnownState, config: Config): Capacity {
  const { maxDocumentBytes, maxDocumentClients } = config
  const left = maxDocumentBytes - encodedBytes - known.deletedRanges * DELETED_RANGE_BYTES
  return {
    forStructs: known.clocks.size < maxDocumentClients ? left : 0,
    forDeletions: left + FOR_DELETIONS * maxDocumentBytes,
  }
}

/** The part of an update that the document has the capacity for. What it leaves out counts only where that is new. */
export function withinCapacity(update: ScannedUpdate, left: Capacity, known: KnownState): Admitted {
  const deletionBytes = deletionsOf(update)
  const hasCapacity = deletionBytes <= left.forDeletions
  if (hasCapacity && update.sections.length === 0) return { part: update, isWhole: true }
  if (hasCapacity && update.deletesStart + deletionBytes <= left.forStructs) return { part: update, isWhole: true }
  const isKnown = update.sections.every(({ client, end }) => end <= (known.clocks.get(client) ?? 0))
  if (hasCapacity) return { part: { ...update, sections: [] }, isWhole: isKnown }
  return { part: { ...update, sections: [], deletes: new Map() }, isWhole: isKnown && known.hasDeleted(update.deletes) }
}

function deletionsOf({ bytes, deletesStart, deletes }: ScannedUpdate): number {
  let size = bytes.length - deletesStart
  for (const ranges of deletes.values()) size += (ranges.length / 2) * DELETED_RANGE_BYTES
  return size
}
