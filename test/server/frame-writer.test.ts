import { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { FrameWriter } from '../../server/src/peers/frame-writer.ts'
import { ManualClock } from '../support/manual-clock.ts'

const BUFFER_BYTES = 64 * 1024
const FRAME = Buffer.alloc(16 * 1024)
const FRAMES = 100

test('R13 a peer that takes all at once is sent one buffer in a turn of the event loop', async () => {
  let taken = 0
  const socket = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, done) => {
      taken++
      process.nextTick(done)
    },
  })
  let left = FRAMES
  const goOn = () => {
    writer.together(() => {
      for (; left > 0 && writer.isWritable; left--) writer.write(FRAME)
    })
  }
  const writer = new FrameWriter(socket, BUFFER_BYTES, new ManualClock(), goOn)
  let most = 0
  goOn()
  for (let before = 0; taken < FRAMES; before = taken) {
    await nextTurn()
    most = Math.max(most, taken - before)
  }
  expect(most).toBeLessThanOrEqual(1 + BUFFER_BYTES / FRAME.length)
})

test.for([
  ['small frames as one buffer', [3, 5, 7], [15]],
  ['large frames without a copy', [3, 5000, 7], [3, 5000, 7]],
  ['one frame without a copy', [5000], [5000]],
] as const)('writes %s, in one system call', ([, lengths, expected]) => {
  const frames = lengths.map((length, index) => Buffer.alloc(length, index))
  const calls: Buffer[][] = []
  const socket = new Duplex({
    read: () => undefined,
    write: (chunk, _encoding, done) => {
      calls.push([chunk])
      done()
    },
    writev: (chunks, done) => {
      calls.push(chunks.map(({ chunk }) => chunk))
      done()
    },
  })
  new FrameWriter(socket, BUFFER_BYTES, new ManualClock(), () => undefined).writeAll(frames)
  expect(calls).toHaveLength(1)
  expect(calls.flat().map(({ length }) => length)).toEqual(expected)
  expect(Buffer.concat(calls.flat())).toEqual(Buffer.concat(frames))
})
