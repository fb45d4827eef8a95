import type { ErrorCode } from '../common/errors.ts'
import type { PackedUpdates } from './packing.ts'

/** What is sent to a worker thread. */
export type Job = CompactJob | SplitJob | DiffJob | MergeJob

export interface CompactJob {
  readonly kind: 'compact'
  /** All of a document, in order. */
  readonly updates: PackedUpdates
  readonly maxChunkBytes: number
  /** Whether to free deleted content, which takes a Y.Doc. */
  readonly collectsGarbage: boolean
}

export interface SplitJob {
  readonly kind: 'split'
  readonly updates: PackedUpdates
  readonly maxBytes: number
  readonly dropsTooDeep: boolean
}

export interface DiffJob {
  readonly kind: 'diff'
  readonly updates: PackedUpdates
  /** What the reader has, in Yjs' encoding. */
  readonly stateVector: Uint8Array
  readonly maxBytes: number
}

export interface MergeJob {
  readonly kind: 'merge'
  /** Consecutive entries of a log. */
  readonly updates: PackedUpdates
  /** How many of them belong together, from the first on. */
  readonly groups: readonly number[]
}

/** What comes back. Errors are values: one that is thrown loses its class and code on its way between threads. */
export type JobOutcome =
  | { readonly ok: true; readonly value: JobResult }
  | { readonly ok: false; readonly code: ErrorCode | undefined; readonly message: string }

export interface JobResult {
  readonly updates: PackedUpdates
  /** Of a compaction: what its updates contain. */
  readonly contains?: Contents
}

export interface Contents {
  /** In Yjs' encoding. */
  readonly stateVector: Uint8Array
  /** In Yjs' encoding (v1). */
  readonly deleteSet: Uint8Array
}
