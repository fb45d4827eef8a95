import type { Config } from '../config/config.ts'
import type { KnownState, ScannedUpdate } from '../protocol/update/update.ts'

/** Deletions free room only with the next compaction, and need some until then: this part of `maxDocumentBytes`. */
const FOR_DELETIONS = 1 / 8
/** What a range of deleted ids takes in memory: two numbers. */
const DELETED_RANGE_BYTES = 16

const NO_DELETES: ScannedUpdate['deletes'] = new Map()

/** Bytes that a document still takes, as the option `maxDocumentBytes` counts them. */
export interface Room {
  readonly forStructs: number
  readonly forDeletions: number
}

export interface Admitted {
  readonly part: ScannedUpdate
  /** False where something new was left out. */
  readonly isWhole: boolean
}

export function roomFor(encodedBytes: number, known: KnownState, config: Config): Room {
  const { maxDocumentBytes, maxDocumentClients } = config
  const left = maxDocumentBytes - encodedBytes - known.deletedRanges * DELETED_RANGE_BYTES
  return {
    forStructs: known.clocks.size < maxDocumentClients ? left : 0,
    forDeletions: left + FOR_DELETIONS * maxDocumentBytes,
  }
}

/** The part of an update that there is room for. Of one that is not taken whole, what is known already is no loss. */
export function withinRoom(update: ScannedUpdate, room: Room, known: KnownState): Admitted {
  const deletionBytes = deletionsOf(update)
  const hasRoom = deletionBytes <= room.forDeletions
  if (hasRoom && update.sections.length === 0) return { part: update, isWhole: true }
  if (hasRoom && update.deletesStart + deletionBytes <= room.forStructs) return { part: update, isWhole: true }
  const isKnown = update.sections.every(({ client, end }) => end <= (known.clocks.get(client) ?? 0))
  if (hasRoom) return { part: { ...update, sections: [] }, isWhole: isKnown }
  const part = { ...update, sections: [], deletes: NO_DELETES }
  return { part, isWhole: isKnown && known.hasDeleted(update.deletes) }
}

function deletionsOf({ bytes, deletesStart, deletes }: ScannedUpdate): number {
  let size = bytes.length - deletesStart
  for (const ranges of deletes.values()) size += (ranges.length / 2) * DELETED_RANGE_BYTES
  return size
}
