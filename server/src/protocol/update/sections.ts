import { ByteWriter, varUintBytes } from '../wire/writer.ts'
import { joinRuns } from './join-runs.ts'
import { contentBytes, type StructRun } from './runs.ts'

/**
 * Writes an update in canonical form: a section per client, descending. Runs of one client must follow each other in
 * order; text is joined where they meet. A client's only run is copied: its writer had the chance to join it.
 * @throws Error where the runs of a client leave a gap or overlap.
 */
export function writeUpdate(runs: readonly StructRun[], deletes: Uint8Array): Uint8Array {
  const sections = runs.length > 1 ? bySection(runs) : runs
  let size = varUintBytes(sections.length) + deletes.length
  for (const section of sections) size += sectionBytes(section)
  const writer = new ByteWriter(size)
  writer.varUint(sections.length)
  for (const section of sections) writeSection(writer, section)
  writer.copy(deletes)
  return writer.finish()
}

/** One run per client, descending. */
function bySection(runs: readonly StructRun[]): readonly StructRun[] {
  const sections: [StructRun, ...StructRun[]][] = []
  for (const run of runs.toSorted((a, b) => b.client - a.client)) {
    const section = sections.at(-1)
    if (section?.[0].client === run.client) section.push(run)
    else sections.push([run])
  }
  return sections.map((section) => (section.length === 1 ? section[0] : joinRuns(section)))
}

function writeSection(writer: ByteWriter, { count, client, clock, head, bytes, from, to }: StructRun): void {
  writer.varUint(count)
  writer.varUint(client)
  writer.varUint(clock)
  if (head !== null) writer.copy(head)
  writer.copy(bytes, from, to)
}

function sectionBytes(run: StructRun): number {
  return varUintBytes(run.count) + varUintBytes(run.client) + varUintBytes(run.clock) + contentBytes(run)
}
