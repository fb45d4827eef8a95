import type { Section } from './scan.ts'
import { dropIds } from './slice.ts'
import type { StructReader } from './structs.ts'
import { ByteWriter, varUintBytes } from './writer.ts'

/** Bytes that a section's struct count, client and clock take at most. */
export const SECTION_HEADER_BYTES = 5 + 8 + 5

/** Consecutive structs of one client as they are to be written: bytes to copy, after a first struct that was cut. */
export interface StructRun {
  readonly client: number
  /** The first id's clock, and the clock after the last id. */
  readonly clock: number
  end: number
  count: number
  /** The first struct where it is not copied as it is. */
  readonly head: Uint8Array | null
  readonly bytes: Uint8Array
  readonly from: number
  to: number
}

export function sectionRun(bytes: Uint8Array, section: Section): StructRun {
  const { client, clock, end, count, from, to } = section
  return { client, clock, end, count, head: null, bytes, from, to }
}

/** Starts a run with the struct that the reader has just read, without its first `offset` ids. */
export function startRun(struct: StructReader, offset: number): StructRun {
  const { client, clock, end, bytes, start, position } = struct
  const head = offset > 0 ? dropIds(struct, offset) : null
  return { client, clock: clock + offset, end, count: 1, head, bytes, from: head ? position : start, to: position }
}

export function extendRun(run: StructRun, struct: StructReader): void {
  run.end = struct.end
  run.to = struct.position
  run.count++
}

/** Upper bound of the bytes that the run takes in an update. */
export function runBytes(run: StructRun): number {
  return SECTION_HEADER_BYTES + contentBytes(run)
}

/** Writes an update in canonical form: a section per client, descending. Runs of one client follow each other in order. */
export function writeUpdate(runs: readonly StructRun[], deletes: Uint8Array): Uint8Array {
  const sections = bySection(runs)
  const writer = new ByteWriter(varUintBytes(sections.length) + sumOf(sections, sectionBytes) + deletes.length)
  writer.varUint(sections.length)
  for (const section of sections) writeSection(writer, section)
  writer.copy(deletes)
  return writer.finish()
}

type SectionRuns = readonly [StructRun, ...StructRun[]]

function bySection(runs: readonly StructRun[]): SectionRuns[] {
  const sections: [StructRun, ...StructRun[]][] = []
  for (const run of inOrder(runs)) {
    const section = sections.at(-1)
    if (section?.[0].client === run.client) section.push(run)
    else sections.push([run])
  }
  return sections
}

function inOrder(runs: readonly StructRun[]): readonly StructRun[] {
  return runs.length > 1 ? runs.toSorted((a, b) => b.client - a.client) : runs
}

function writeSection(writer: ByteWriter, runs: SectionRuns): void {
  const { client, clock } = runs[0]
  writer.varUint(sumOf(runs, countOf))
  writer.varUint(client)
  writer.varUint(clock)
  let end = clock
  for (const run of runs) {
    if (run.clock !== end)
      throw new Error(`client ${client}: structs from ${run.clock} cannot follow those up to ${end}`)
    end = run.end
    if (run.head !== null) writer.copy(run.head)
    writer.copy(run.bytes, run.from, run.to)
  }
}

function sectionBytes(runs: SectionRuns): number {
  const { client, clock } = runs[0]
  const header = varUintBytes(sumOf(runs, countOf)) + varUintBytes(client) + varUintBytes(clock)
  return header + sumOf(runs, contentBytes)
}

function contentBytes(run: StructRun): number {
  return (run.head?.length ?? 0) + run.to - run.from
}

function countOf(run: StructRun): number {
  return run.count
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  let sum = 0
  for (const item of items) sum += value(item)
  return sum
}
