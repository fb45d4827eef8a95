import { ByteWriter } from '../wire/writer.ts'
import { KIND } from './content.ts'
import { encodeDeleteSet, type IdRanges, RangeCollector, unionOf } from './ranges.ts'
import { indexUpdate } from './scan.ts'
import { KIND_BITS, StructReader } from './structs.ts'

/**
 * A well-formed update with everything that is nested too deep deleted. The ids stay, so that all else that its writer
 * has written, and will write, builds on something; the deletions have the writer's own copy forget the same.
 */
export function withoutTooDeep(update: Uint8Array): Uint8Array {
  const { sections, deletes } = indexUpdate(update)
  const struct = new StructReader(update, true)
  const writer = new ByteWriter(update.length)
  const dropped = new Map<number, RangeCollector>()
  writer.varUint(sections.length)
  for (const { client, clock, count, from } of sections) {
    const ranges = new RangeCollector()
    writer.varUint(count)
    writer.varUint(client)
    writer.varUint(clock)
    struct.position = from
    for (let left = count, at = clock; left > 0; left--, at = struct.end) {
      struct.isTooDeep = false
      struct.read(client, at)
      writeStruct(writer, struct)
      if (struct.isTooDeep) ranges.add(at, struct.end)
    }
    if (ranges.size > 0) dropped.set(client, ranges)
  }
  const droppedIds: IdRanges = new Map([...dropped].map(([client, ranges]) => [client, ranges.finish()]))
  writer.copy(encodeDeleteSet(unionOf([deletes, droppedIds])))
  return writer.finish()
}

function writeStruct(
  writer: ByteWriter,
  { bytes, start, contentStart, position, info, length, isTooDeep }: StructReader,
) {
  if (!isTooDeep) {
    writer.copy(bytes, start, position)
    return
  }
  writer.byte((info & ~KIND_BITS) | KIND.deleted)
  writer.copy(bytes, start + 1, contentStart)
  writer.varUint(length)
}
