/**
 * Updates in one buffer of their own, which moves to another thread without being copied. Sent as they are, each would
 * take along the whole buffer that it is a part of, and stay of use to the sender only as a copy.
 */
export interface PackedUpdates {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly lengths: readonly number[]
}

export function packUpdates(updates: readonly Uint8Array[]): PackedUpdates {
  const lengths = updates.map((update) => update.length)
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0))
  let offset = 0
  for (const update of updates) {
    bytes.set(update, offset)
    offset += update.length
  }
  return { bytes, lengths }
}

export function unpackUpdates({ bytes, lengths }: PackedUpdates): Uint8Array[] {
  const updates: Uint8Array[] = []
  let offset = 0
  for (const length of lengths) {
    updates.push(bytes.subarray(offset, offset + length))
    offset += length
  }
  return updates
}
