import type { StoredDocument } from '../../server/src/storage/document-store.ts'

/** An update of tests that only count: numbers of 32 bits. */
export function encodeValues(values: readonly number[]): Uint8Array {
  const update = Buffer.alloc(4 * values.length)
  for (const [index, value] of values.entries()) update.writeUInt32BE(value, 4 * index)
  return update
}

/** All numbers of a document of such updates. */
export function valuesIn({ snapshot, tail }: Pick<StoredDocument, 'snapshot' | 'tail'>): number[] {
  const updates = [...(snapshot?.chunks ?? []), ...tail.map(({ update }) => update)]
  const all = Buffer.concat(updates)
  return Array.from({ length: all.length / 4 }, (_, index) => all.readUInt32BE(4 * index))
}
