import { expect, test } from 'vitest'
import { SharedLog } from '../../server/src/document/shared-log.ts'
import type { LogPart } from '../../server/src/storage/document-store.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** A replica at 1 of a log that ends there, whatever anybody says. */
function replicaOfShortLog() {
  let reads = 0
  let lose: (error: unknown) => void = () => undefined
  const lost = new Promise<unknown>((resolve) => {
    lose = resolve
  })
  const replica = { name: 'doc', head: 1, gatherMs: () => 0, enter: () => undefined, lose }
  const store = {
    follow: () => () => undefined,
    readAfter: async (): Promise<LogPart> => {
      reads++
      return { incarnation: 1, entries: [] }
    },
  }
  return { log: new SharedLog(replica, store, new ManualClock(), 25), lost, reads: () => reads }
}

test('a number that the log does not have has the document loaded anew, and is not looked for without end', async () => {
  const { log, lost, reads } = replicaOfShortLog()
  log.want(2)
  expect(await lost).toMatchObject({ code: 'STORAGE_CONFLICT' })
  expect(reads()).toBe(1)
})

test('what is there already is not looked for', () => {
  const { log, reads } = replicaOfShortLog()
  log.want(1)
  expect(reads()).toBe(0)
})

/** A replica at 1 that is told of what others append, and asks to gather for as long as the test has it. */
function gatheringReplica() {
  const clock = new ManualClock()
  const shown: number[][] = []
  const state = { gatherMs: 0, head: 1 }
  let report: (part: LogPart) => void = () => undefined
  const replica = {
    name: 'doc',
    get head() {
      return state.head
    },
    gatherMs: () => state.gatherMs,
    enter: (parts: readonly LogPart[]) => {
      shown.push(parts.flatMap(({ entries }) => entries.map(({ seq }) => seq)))
      state.head = shown.at(-1)?.at(-1) ?? state.head
    },
    lose: (error: unknown) => {
      throw error
    },
  }
  const store = {
    follow: (_name: string, _head: number, take: (part: LogPart) => void) => {
      report = take
      return () => undefined
    },
    readAfter: async (): Promise<LogPart> => ({ incarnation: 1, entries: [] }),
  }
  const log = new SharedLog(replica, store, clock, 25)
  log.start()
  const append = (seq: number) => report({ incarnation: 1, entries: [{ seq, update: new Uint8Array() }] })
  return { append, clock, log, shown, state }
}

test('what others append is shown at once by a document that has time', () => {
  const { append, shown } = gatheringReplica()
  append(2)
  append(3)
  expect(shown).toEqual([[2], [3]])
})

test('what others append is shown in one when a document has rested', () => {
  const { append, clock, shown, state } = gatheringReplica()
  state.gatherMs = 5
  append(2)
  clock.advance(3)
  append(3)
  state.gatherMs = 2
  clock.advance(4)
  expect(shown).toEqual([])
  state.gatherMs = 0
  clock.advance(1)
  expect(shown).toEqual([[2, 3]])
})

test('what others append waits no longer than the longest rest for a commit that takes its time', () => {
  const { append, clock, shown, state } = gatheringReplica()
  state.gatherMs = 25
  append(2)
  clock.advance(20)
  append(3)
  clock.advance(4)
  expect(shown).toEqual([])
  clock.advance(1)
  expect(shown).toEqual([[2, 3]])
})

test('what a commit has brought is not shown again, and what lies behind it waits for the next rest', () => {
  const { append, clock, log, shown, state } = gatheringReplica()
  state.gatherMs = 25
  append(2)
  append(3)
  state.head = 2
  state.gatherMs = 4
  log.passed()
  clock.advance(3)
  expect(shown).toEqual([])
  state.gatherMs = 0
  clock.advance(1)
  expect(shown).toEqual([[3]])
})

test('a document that is closed is shown nothing more', () => {
  const { append, clock, log, shown, state } = gatheringReplica()
  state.gatherMs = 25
  append(2)
  log.stop()
  clock.advance(25)
  expect(shown).toEqual([])
})

test('what is held counts as far as it goes on without a gap, in the same incarnation', () => {
  const { append, log, state } = gatheringReplica()
  state.gatherMs = 25
  append(2)
  append(3)
  append(5)
  expect(log.reach(1)).toBe(3)
  expect(log.reach(2)).toBe(1)
})
