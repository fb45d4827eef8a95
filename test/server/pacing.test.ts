import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type CommitSource, Committer } from '../../server/src/document/committer.ts'
import { Pacing } from '../../server/src/document/pacing.ts'
import type { AppendRequest } from '../../server/src/storage/storage.ts'
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
  /** A committer that rests so long after each batch, and the sizes of its batches. */
  function committerResting(restMs: number) {
    const clock = new ManualClock()
    const batches: number[] = []
    const append = async (requests: readonly AppendRequest[]) => {
      batches.push(requests.length)
      return requests.map((_, index) => ({ seq: index + 1, incarnation: 1, between: [] }))
    }
    const pacing = { restMs: (restedMs = 0) => restMs - restedMs }
    const committer = new Committer({ append }, pacing, clock, recordingLog().log)
    const request = (): Promise<void> =>
      new Promise((resolve, reject) => {
        const source: CommitSource = {
          takePending: () => [{ document: 'notes', update: Uint8Array.of(1), base: 0 }],
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
    expect(batches).toEqual([1, 1, 1, 1, 1])
    expect(clock.pending).toEqual([])
  })

  test('gather during a rest, and none begins before its end', async () => {
    const { clock, batches, request } = committerResting(10)
    await request()
    await clock.hasTimerOf(10)
    const edits = [request(), request(), request()]
    clock.advance(9)
    for (let turn = 0; turn < 20; turn++) await nextTurn()
    expect(batches).toEqual([1])
    clock.advance(1)
    await Promise.all(edits)
    expect(batches).toEqual([1, 3])
  })

  test('that settle do not rest, neither now nor after the next batch', async () => {
    const { clock, batches, committer, request } = committerResting(10)
    await request()
    await clock.hasTimerOf(10)
    const last = request().then(() => request())
    await committer.settle()
    await last
    expect(batches).toEqual([1, 1, 1])
    expect(clock.pending).toEqual([])
  })
})
