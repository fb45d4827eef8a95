import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Queue } from '../../server/src/webhooks/queue.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** A queue whose calls end when the test says so. */
function queueOf({ quietMs = 0, maxWaitMs = 10_000 } = {}) {
  const clock = new ManualClock()
  const told: string[] = []
  const ends: (() => void)[] = []
  const queue = new Queue(
    clock,
    () => ({ quietMs, maxWaitMs }),
    (document) => {
      told.push(document)
      return new Promise((resolve) => ends.push(resolve))
    },
  )
  const end = async () => {
    ends.shift()?.()
    await nextTurn()
  }
  return { clock, queue, told, end }
}

const names = (count: number, prefix = 'doc') => Array.from({ length: count }, (_, index) => `${prefix}-${index}`)

test('a few documents are told of at once, in the order in which they came, and each by one call', async () => {
  const { queue, told, end } = queueOf()
  for (const name of names(10)) queue.committed(name)
  expect(told).toEqual(names(8))
  queue.committed('doc-0')
  queue.committed('doc-0')
  await end()
  expect(told).toEqual(names(9))
  await end()
  await end()
  expect(told).toEqual([...names(10), 'doc-0'])
})

test('no more than a thousand wait; what had no room is taken when there is some', async () => {
  const { clock, queue, told } = queueOf({ quietMs: 1000 })
  for (const name of names(1500)) queue.committed(name)
  expect(queue.room).toBe(0)
  expect(clock.pending).toHaveLength(1000)
  queue.found('late')
  clock.advance(1000)
  expect(told).toEqual(names(8))
  expect(queue.room).toBe(8)
  for (const name of names(20, 'late')) queue.found(name)
  expect(queue.room).toBe(0)
})

test('what is found does not wait, unless it waits for quiet; what hurries does not at all', () => {
  const { clock, queue, told } = queueOf({ quietMs: 1000, maxWaitMs: 1500 })
  queue.committed('writing')
  queue.found('writing')
  queue.found('found')
  expect(told).toEqual(['found'])
  clock.advance(900)
  queue.committed('writing')
  clock.advance(599)
  expect(told).toEqual(['found'])
  clock.advance(1)
  expect(told).toEqual(['found', 'writing'])
  queue.committed('deleted')
  queue.hurry('deleted')
  expect(told).toEqual(['found', 'writing', 'deleted'])
  clock.advance(10_000)
  expect(told).toHaveLength(3)
})

test('a closed queue begins nothing, and waits for what is under way', async () => {
  const { clock, queue, told, end } = queueOf({ quietMs: 10 })
  queue.hurry('under way')
  queue.committed('waiting')
  const closed = queue.close()
  clock.advance(1000)
  queue.hurry('late')
  expect(told).toEqual(['under way'])
  await end()
  await closed
})
