import type { Config } from '../config.ts'
import type { KnownState, ScannedUpdate } from '../protocol/update.ts'

/** What a document still takes. */
export type Room = 'everything' | 'deletions' | 'nothing'

/** Deletions free room only with the next compaction, and need some until then: this part of `maxDocumentBytes`. */
const FOR_DELETIONS = 1 / 8

const NO_DELETES: ScannedUpdate['deletes'] = new Map()

/** @param byteLength of the document as the option `maxDocumentBytes` counts it */
export function roomFor(byteLength: number, clients: number, config: Config): Room {
  const { maxDocumentBytes, maxDocumentClients } = config
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
