import type { Snapshot } from '../document-store.ts'
import type { StoredRevocation } from '../revocation-store.ts'
import type { Operation } from './database.ts'
import { chunkKey, deletionKey, entryKey, metadataKey, nameKey, quarantineKey, revocationKey } from './keys.ts'
import type { Layout } from './layout.ts'
import {
  type ChunkBody,
  type EntryBody,
  encodeBytes,
  encodeChunk,
  encodeEntry,
  encodeMetadata,
  encodeNumber,
  encodeNumbers,
  encodeQuarantinedDamage,
  encodeQuarantinedUpdate,
  encodeTime,
  type Metadata,
} from './records.ts'

export function putName(name: string, id: number): Operation {
  const key = nameKey(name)
  return { type: 'put', key, value: encodeNumber(key, id) }
}

export function putMetadata(id: number, metadata: Metadata): Operation {
  const key = metadataKey(id)
  return { type: 'put', key, value: encodeMetadata(key, metadata) }
}

export function putEntry(id: number, seq: number, entry: EntryBody): Operation {
  const key = entryKey(id, seq)
  return { type: 'put', key, value: encodeEntry(key, entry) }
}

export function putChunk(id: number, generation: number, index: number, chunk: ChunkBody): Operation {
  const key = chunkKey(id, generation, index)
  return { type: 'put', key, value: encodeChunk(key, chunk) }
}

/** The chunks of a snapshot, which it needs beside the metadata. */
export function putSnapshot(id: number, generation: number, { seq, chunks }: Snapshot): readonly Operation[] {
  return chunks.map((update, index) => {
    return putChunk(id, generation, index, { snapshotSeq: seq, chunkCount: chunks.length, update })
  })
}

export function putRevocation({ target, time }: StoredRevocation): Operation {
  const key = revocationKey(target)
  return { type: 'put', key, value: encodeTime(key, time) }
}

export function putDeletion(document: string, formerClients: Uint8Array): Operation {
  const key = deletionKey(document)
  return { type: 'put', key, value: encodeBytes(key, formerClients) }
}

export function putNumbers(key: Uint8Array, numbers: readonly number[]): Operation {
  return { type: 'put', key, value: encodeNumbers(key, numbers) }
}

export function removeKey(key: Uint8Array): Operation {
  return { type: 'del', key }
}

export function removeQuarantined(id: number, quarantineId: number): Operation {
  return removeKey(quarantineKey(id, quarantineId))
}

/**
 * Makes what is stored the intact document of the layout. What was cut off, and damaged records as they are, move
 * under quarantine keys: no byte is given up. Sequence numbers are given anew from here, hence the new incarnation.
 */
export function repair(id: number, layout: Layout, incarnation: number): Operation[] {
  let quarantineId = layout.metadata.nextQuarantineId
  const moved: Operation[] = []
  const move = (encode: (key: Uint8Array) => Uint8Array) => {
    const key = quarantineKey(id, quarantineId++)
    moved.push({ type: 'put', key, value: encode(key) })
  }
  for (const record of layout.cutOff) move((key) => encodeQuarantinedUpdate(key, record.update))
  for (const record of layout.damaged) move((key) => encodeQuarantinedDamage(key, record))
  // Removals come first: a damaged key can be one of those that are written here.
  const removed = [...layout.cutOff, ...layout.damaged].map((record) => removeKey(record.key))
  return [...removed, ...moved, putMetadata(id, { ...layout.metadata, incarnation, nextQuarantineId: quarantineId })]
}
