import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { Condition, keepAlive, withDeadline } from '../../server/src/common/timing.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** What a promise has come to so far. */
async function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  await nextTurn()
  return Promise.race([promise, Promise.resolve('pending')])
}

/** What keeps this process alive at present, as far as it is timers. */
function timersAlive(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
}

describe('a deadline', () => {
  const late = () => 'late'

  test('leaves work alone that is done before it, and no timer behind', async () => {
    const clock = new ManualClock()
    expect(await withDeadline(clock, 100, () => 'at once', late)).toBe('at once')
    expect(await withDeadline(clock, 100, async () => 'in time', late)).toBe('in time')
    expect(clock.pending).toEqual([])
  })

  test('passes on how work fails, at once or later, and leaves no timer behind', async () => {
    const clock = new ManualClock()
    const fail = (): never => {
      throw new Error('no')
    }
    await expect(withDeadline(clock, 100, fail, late)).rejects.toThrow('no')
    await expect(withDeadline(clock, 100, async () => fail(), late)).rejects.toThrow('no')
    expect(clock.pending).toEqual([])
  })

  test('decides in the place of work that takes longer, whatever that comes to', async () => {
    const clock = new ManualClock()
    const never = () => new Promise<string>(() => undefined)
    const answered = withDeadline(clock, 100, never, late)
    const refused = withDeadline(clock, 100, never, () => {
      throw new Error('too late')
    })
    clock.advance(99)
    expect(await outcomeOf(answered)).toBe('pending')
    clock.advance(1)
    expect(await answered).toBe('late')
    await expect(refused).rejects.toThrow('too late')
  })

  test('swallows what work that is late rejects with: nobody waits for it any more', async () => {
    const clock = new ManualClock()
    let fail: (error: Error) => void = () => undefined
    const work = new Promise<string>((_, reject) => {
      fail = reject
    })
    const answered = withDeadline(clock, 100, () => work, late)
    clock.advance(100)
    expect(await answered).toBe('late')
    fail(new Error('too late to be heard'))
    // The test runner fails a test whose rejections nobody handles.
    await nextTurn()
  })
})

describe('a condition', () => {
  test('wakes all who wait, once', async () => {
    const clock = new ManualClock()
    const condition = new Condition()
    const waiting = [condition.wait().then(() => 'woken'), condition.waitFor(clock, 100)]
    expect(await outcomeOf(Promise.race(waiting))).toBe('pending')
    condition.notify()
    expect(await Promise.all(waiting)).toEqual(['woken', true])
    expect(clock.pending).toEqual([])
  })

  test('does not wake who comes after the notification', async () => {
    const clock = new ManualClock()
    const condition = new Condition()
    condition.notify()
    const waiting = condition.waitFor(clock, 100)
    clock.advance(100)
    expect(await waiting).toBe(false)
  })

  test('lets who has waited long enough go, and the others wait', async () => {
    const clock = new ManualClock()
    const condition = new Condition()
    const short = condition.waitFor(clock, 100)
    const long = condition.waitFor(clock, 101)
    clock.advance(100)
    expect(await short).toBe(false)
    expect(await outcomeOf(long)).toBe('pending')
    condition.notify()
    expect(await long).toBe(true)
  })

  test('lets who is woken wait again, for the next notification', async () => {
    const condition = new Condition()
    let wakings = 0
    const waitTwice = async () => {
      while (wakings < 2) {
        await condition.wait()
        wakings++
      }
    }
    const waited = waitTwice()
    condition.notify()
    condition.notify()
    await nextTurn()
    expect(wakings).toBe(1)
    condition.notify()
    await waited
    expect(wakings).toBe(2)
  })
})

test('work keeps the process alive until it has ended, well or not', async () => {
  const before = timersAlive()
  const condition = new Condition()
  const kept = keepAlive(condition.wait().then(() => 'done'))
  expect(timersAlive()).toBe(before + 1)
  condition.notify()
  expect(await kept).toBe('done')
  expect(timersAlive()).toBe(before)
  await expect(keepAlive(Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(timersAlive()).toBe(before)
})
