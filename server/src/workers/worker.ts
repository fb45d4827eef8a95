import { move, transferableSymbol, valueSymbol } from 'piscina'
import { CoeditError } from '../common/errors.ts'
import {
  decodeStateVector,
  KnownState,
  mergeEntries,
  splitDifference,
  splitUpdate,
  trimEntry,
  withoutTooDeep,
} from '../protocol/update/update.ts'
import { compactCollecting, compactCopying } from './compaction.ts'
import type { CompactJob, DiffJob, Job, JobOutcome, JobResult, MergeJob, SplitJob } from './jobs.ts'
import { packUpdates, unpackUpdates } from './packing.ts'

/** The entry of a worker thread: runs one job. What is thrown is sent as a value, see JobOutcome. */
export default function run(job: Job): unknown {
  try {
    const value = perform(job)
    const transfer = [value.updates.bytes.buffer]
    return move({ [transferableSymbol]: transfer, [valueSymbol]: { ok: true, value } satisfies JobOutcome })
  } catch (error) {
    const code = error instanceof CoeditError ? error.code : undefined
    const message = error instanceof Error ? error.message : String(error)
    return { ok: false, code, message } satisfies JobOutcome
  }
}

function perform(job: Job): JobResult {
  switch (job.kind) {
    case 'compact':
      return compact(job)
    case 'split':
      return { updates: packUpdates(split(job)) }
    case 'diff':
      return { updates: packUpdates(diff(job)) }
    case 'merge':
      return { updates: packUpdates(merge(job)) }
  }
}

function compact({ updates, maxChunkBytes, collectsGarbage }: CompactJob): JobResult {
  const compactUpdates = collectsGarbage ? compactCollecting : compactCopying
  const { chunks, stateVector, deleteSet } = compactUpdates(unpackUpdates(updates), maxChunkBytes)
  return { updates: packUpdates(chunks), contains: { stateVector, deleteSet } }
}

function split({ updates, maxBytes, dropsTooDeep }: SplitJob): Uint8Array[] {
  return unpackUpdates(updates).flatMap((update) =>
    splitUpdate(dropsTooDeep ? withoutTooDeep(update) : update, maxBytes),
  )
}

function diff({ updates, stateVector, maxBytes }: DiffJob): Uint8Array[] {
  return splitDifference(unpackUpdates(updates), decodeStateVector(stateVector), maxBytes)
}

/** Each group as one update that follows those before, and then all of them as one. */
function merge({ updates, groups }: MergeJob): Uint8Array[] {
  const entries = unpackUpdates(updates)
  const state = new KnownState()
  let taken = 0
  const merged = groups.map((count) => {
    const group = entries.slice(taken, taken + count).map((update) => trimEntry(update, state))
    taken += count
    return mergeEntries(group)
  })
  return [...merged, mergeEntries(merged)]
}
