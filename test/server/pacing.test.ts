import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { type Clock, systemClock } from '../../server/src/common/timing.ts'
import { type CommitSource, Committer } from '../../server/src/document/committer.ts'
import type { Cursor } from '../../server/src/document/cursor.ts'
import { Pacing } from '../../server/src/document/pacing.ts'
import type { AppendRequest } from '../../server/src/storage/document-store.ts'
import { MemoryStorage } from '../../server/src/storage/memory/memory-storage.ts'
import { openCore } from '../support/core.ts'
import { recordingLog } from '../support/log.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** An event loop that is busy or idle as the test has it, and has saved up nothing. */
function loopWith(options: { busyShare: number; maxGatherMs?: number }) {
  const clock = new ManualClock()
  let busy = 1234
  const pacing = new Pacing({ maxGatherMs: 25, ...options }, clock, () => busy)
  const work = (ms: number) => {
    busy += ms
    clock.advance(ms)
  }
  const wait = (ms: number) => clock.advance(ms)
  const spend = () => work(150 / (1 - options.busyShare))
  return { clock, pacing, work, wait, spend }
}

describe('a rest', () => {
  test.for([
    [0.5, 8, 8],
    [0.8, 8, 2],
    [0.25, 4, 12],
  ] as const)('makes a cycle take so long that at a share of %f, %f ms are followed by %f', ([busyShare, ms, rest]) => {
    const { pacing, work, spend } = loopWith({ busyShare })
    spend()
    work(ms)
    expect(pacing.restMs()).toBeCloseTo(rest)
  })

  test('is shorter by what the cycle has waited for the disk', () => {
    const { pacing, work, wait, spend } = loopWith({ busyShare: 0.5 })
    spend()
    work(4)
    wait(3)
    work(6)
    expect(pacing.restMs()).toBeCloseTo(7)
  })

  test('is none after a cycle that waited longer than it worked', () => {
    const { pacing, work, wait, spend } = loopWith({ busyShare: 0.5 })
    spend()
    work(2)
    wait(10)
    expect(pacing.restMs()).toBe(0)
  })

  test('is none for as long as an idle loop has saved up for', () => {
    const { pacing, work } = loopWith({ busyShare: 0.5 })
    for (let cycle = 0; cycle < 30; cycle++) {
      work(10)
      expect(pacing.restMs()).toBe(0)
    }
    work(10)
    expect(pacing.restMs()).toBeCloseTo(10)
  })

  test('is none again after half a second without work, and no longer than before after an hour', () => {
    for (const idleMs of [300, 3_600_000]) {
      const { pacing, work, wait, spend } = loopWith({ busyShare: 0.5 })
      spend()
      wait(idleMs)
      expect(pacing.restMs()).toBe(0)
      work(300)
      expect(pacing.restMs()).toBe(0)
      work(5)
      expect(pacing.restMs()).toBeCloseTo(5)
    }
  })

  test('is never longer than maxGatherMs, and what is owed beyond is forgiven', () => {
    const { pacing, work, wait, spend } = loopWith({ busyShare: 0.5, maxGatherMs: 25 })
    spend()
    work(1000)
    expect(pacing.restMs()).toBe(25)
    wait(25)
    expect(pacing.restMs(25)).toBe(0)
    work(5)
    expect(pacing.restMs()).toBeCloseTo(5)
  })

  test('goes on for what was done during it', () => {
    const { pacing, work, wait, spend } = loopWith({ busyShare: 0.25 })
    spend()
    work(2)
    expect(pacing.restMs()).toBeCloseTo(6)
    work(1)
    wait(5)
    expect(pacing.restMs(6)).toBeCloseTo(4)
    wait(4)
    expect(pacing.restMs(10)).toBe(0)
  })

  test('is never longer than maxGatherMs with what it goes on for', () => {
    const { pacing, work, spend } = loopWith({ busyShare: 0.5, maxGatherMs: 25 })
    spend()
    work(20)
    expect(pacing.restMs()).toBeCloseTo(20)
    work(20)
    expect(pacing.restMs(20)).toBeCloseTo(5)
    work(5)
    expect(pacing.restMs(25)).toBe(0)
  })

  test('is none at a share of 1', () => {
    const { pacing, work } = loopWith({ busyShare: 1 })
    work(3000)
    expect(pacing.restMs()).toBe(0)
  })

  test('is always maxGatherMs at a share of 0, on an idle machine too', () => {
    const { pacing, wait } = loopWith({ busyShare: 0 })
    wait(100)
    expect(pacing.restMs()).toBe(25)
    expect(pacing.restMs(25)).toBe(0)
  })

  test('too short for a timer is owed until it is long enough', () => {
    const { pacing, work, spend } = loopWith({ busyShare: 0.5 })
    spend()
    const rests = [1, 2, 3].map(() => {
      work(0.4)
      return pacing.restMs()
    })
    expect(rests).toEqual([0, 0, expect.closeTo(1.2)])
  })
})

describe('commits', () => {
  /** A committer that rests so long after each batch, and the documents of its batches. */
  function committerResting(restMs: number) {
    const clock = new ManualClock()
    const batches: string[][] = []
    const append = async (requests: readonly AppendRequest[]) => {
      batches.push(requests.map(({ document }) => document))
      return requests.map((_, index) => ({ seq: index + 1, incarnation: 1, between: [] }))
    }
    const pacing = { restMs: (restedMs = 0) => restMs - restedMs }
    const committer = new Committer({ append }, pacing, clock, recordingLog().log)
    /** Has an edit of a document committed that rests on until a time. */
    const request = (document = 'notes', restsUntil = 0): Promise<void> =>
      new Promise((resolve, reject) => {
        const source: CommitSource = {
          restMs: () => Math.max(0, restsUntil - clock.now()),
          takePending: () => [{ document, update: Uint8Array.of(1), base: 0 }],
          committed: () => resolve(),
          commitFailed: reject,
        }
        committer.request(source)
      })
    return { clock, batches, committer, request }
  }

  test('follow each other at once where the pacing has no rest', async () => {
    const { clock, batches, request } = committerResting(0)
    for (let edit = 0; edit < 5; edit++) await request()
    expect(batches.map(({ length }) => length)).toEqual([1, 1, 1, 1, 1])
    expect(clock.pending).toEqual([])
  })

  test('gather during a rest, and none begins before its end', async () => {
    const { clock, batches, request } = committerResting(10)
    await request()
    await clock.hasTimerOf(10)
    const edits = [request(), request(), request()]
    clock.advance(9)
    for (let turn = 0; turn < 20; turn++) await nextTurn()
    expect(batches).toHaveLength(1)
    clock.advance(1)
    await Promise.all(edits)
    expect(batches.map(({ length }) => length)).toEqual([1, 3])
  })

  test('that settle do not rest, neither now nor after the next batch', async () => {
    const { clock, batches, committer, request } = committerResting(10)
    await request()
    await clock.hasTimerOf(10)
    const last = request().then(() => request())
    await committer.settle()
    await last
    expect(batches.map(({ length }) => length)).toEqual([1, 1, 1])
    expect(clock.pending).toEqual([])
  })

  test('of a document that rests wait for its end, and those of others do not', async () => {
    const { clock, batches, request } = committerResting(0)
    const busy = request('busy', clock.now() + 10)
    await clock.hasTimerOf(10)
    await request('quiet')
    expect(batches).toEqual([['quiet']])
    await clock.hasTimerOf(10)
    clock.advance(4)
    const second = request('busy', clock.now() + 6)
    await request('quiet')
    expect(batches).toEqual([['quiet'], ['quiet']])
    await clock.hasTimerOf(6)
    clock.advance(6)
    await Promise.all([busy, second])
    expect(batches).toEqual([['quiet'], ['quiet'], ['busy', 'busy']])
    expect(clock.pending).toEqual([])
  })

  test('of a document that rests are made at once by those who settle', async () => {
    const { clock, batches, committer, request } = committerResting(0)
    const edit = request('busy', clock.now() + 10)
    await clock.hasTimerOf(10)
    await committer.settle()
    await edit
    expect(batches).toEqual([['busy']])
    expect(clock.pending).toEqual([])
  })
})

test('a document rests by what sending its edits takes, and another one does not', async () => {
  const manual = new ManualClock(0)
  // The event loop is measured in the time of the system, and sending takes as long as the test has it.
  const clock: Clock = { now: () => systemClock.now() + manual.now(), after: (...timer) => manual.after(...timer) }
  const storage = new MemoryStorage({ clock })
  await storage.open()
  onTestFinished(() => storage.close())
  const options = { busyShare: 1, documentBusyShare: 0.25, maxGatherMs: 40 }
  const { documents } = openCore({ release: onTestFinished, storage, clock, options })
  /** Opens a document to whose readers it takes so long to send an edit. */
  const open = async (name: string, sendingMs: number) => {
    const cursor = await documents.join(name, {
      onFlush: () => manual.advance(sendingMs),
      onEnd: () => cursor.release(),
    })
    return cursor
  }
  const [large, small] = await Promise.all([open('large', 1000), open('small', 0)])
  const edit = ({ document }: Cursor) => {
    const doc = new Y.Doc()
    doc.getText('content').insert(0, 'x')
    return document.submit(Y.encodeStateAsUpdate(doc), { isLimited: false }).durable
  }

  await edit(large)
  const rested = edit(large)
  await manual.hasTimers()
  await edit(small)
  expect(large.document.head).toBe(1)
  manual.advance(40)
  await rested
  expect([large.document.head, small.document.head]).toEqual([2, 1])
})
