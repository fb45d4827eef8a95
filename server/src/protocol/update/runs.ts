import type { Section } from './scan.ts'
import { dropIds } from './slice.ts'
import type { StructReader } from './structs.ts'

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

/** Bytes of the run's structs. */
export function contentBytes(run: StructRun): number {
  return (run.head?.length ?? 0) + run.to - run.from
}
