import { KIND } from './content.ts'
import { firstEndingAfter } from './ranges.ts'
import type { ScannedUpdate } from './scan.ts'
import { StructReader } from './structs.ts'

/**
 * Whether an update has content that it says is deleted, as of a document whose garbage is not collected. That of one
 * edit may have some, too, where it deletes what it has inserted.
 */
export function holdsDeleted({ bytes, sections, deletes }: ScannedUpdate): boolean {
  const struct = new StructReader(bytes, false)
  for (const { client, clock, count, from } of sections) {
    const ranges = deletes.get(client)
    if (!ranges) continue
    struct.position = from
    for (let next = clock, left = count; left > 0; left--) {
      struct.read(client, next)
      next = struct.end
      const range = firstEndingAfter(ranges, struct.clock, 0)
      if (isContent(struct.kind) && range < ranges.length && ranges[range] < struct.end) return true
    }
  }
  return false
}

function isContent(kind: number): boolean {
  return kind !== KIND.gc && kind !== KIND.deleted && kind !== KIND.skip
}
