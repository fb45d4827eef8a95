import type { Config } from '../config.ts'
import type { KnownState, ScannedUpdate } from '../protocol/update.ts'

/** What a document still takes. */
export type Room = 'everything' | 'deletions' | 'nothing'

/** Deletions free room only with the next compaction, and need some until then: this part of `maxDocumentBytes`. */
const FOR_DELETIONS = 1 / 8

/** What a range of deleted ids takes in memory: two numbers. */
const DELETED_RANGE_BYTES = 16

const NO_DELETES: ScannedUpdate['deletes'] = new Map()

/** How large a document is. */
export interface Size {
  readonly encodedBytes: number
  readonly deletedRanges: number
  readonly clients: number
}

export function roomFor({ encodedBytes, deletedRanges, clients }: Size, config: Config): Room {
  const { maxDocumentBytes, maxDocumentClients } = config
  const byteLength = encodedBytes + deletedRanges * DELETED_RANGE_BYTES
  if (byteLength >= (1 + FOR_DELETIONS) * maxDocumentBytes) return 'nothing'
  return byteLength >= maxDocumentBytes || clients >= maxDocumentClients ? 'deletions' : 'everything'
}

export interface Admitted {
  readonly part: ScannedUpdate
  /** False where something new was left out. */
  readonly isWhole: boolean
}

/** The part of an update that there is room for. */
export function withinRoom(update: ScannedUpdate, room: Room, known: KnownState): Admitted {
  if (room === 'everything') return { part: update, isWhole: true }
  const hasStructs = update.sections.some(({ client, end }) => end > (known.clocks.get(client) ?? 0))
  if (room === 'deletions') return { part: { ...update, sections: [] }, isWhole: !hasStructs }
  const part = { ...update, sections: [], deletes: NO_DELETES }
  return { part, isWhole: !hasStructs && known.hasDeleted(update.deletes) }
}
