import { expect, onTestFinished, test } from 'vitest'
import { startServer } from '../support/process.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { Circles, COMPACTING } from './circles.ts'

const release = onTestFinished
/** Edits gather for a second, so that most of what was read is not durable when the signal comes. */
const GATHERING = ['--max-gather-ms', '1000', '--busy-share', '0', '--shutdown-spread-ms', '0']

/** One for each time that the test is run. */
const TIMES = Array.from({ length: runs(1) }, (_, index) => index + 1)

test.for(TIMES)('SIGTERM ends with code 0 and 1012, and stores all that was received (%i)', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32)
  console.log(`seed ${seed}`)
  const server = await startServer({ release, flags: [...COMPACTING, ...GATHERING] })
  const firstCodes: number[] = []
  const circles = new Circles({
    release,
    url: server.url,
    random: new Random(seed),
    witnessOf: (ledger) => ({
      read: (edits) => ledger.promiseAll(edits),
      closed: once((code) => firstCodes.push(code)),
    }),
  })
  await circles.start()
  await circles.allGrow(100)

  const { code, stderr } = await server.kill('SIGTERM')
  circles.stop()

  expect(code, stderr).toBe(0)
  expect(firstCodes).toEqual(Array(circles.clients).fill(1012))
  const restarted = await startServer({ release, data: server.data })
  expect(await circles.brokenAt(restarted.url)).toEqual([])
})

/** Passes on the first call only: clients try again at once, and find nobody there. */
function once(action: (code: number) => void): (code: number) => void {
  let isFirst = true
  return (code) => {
    if (isFirst) action(code)
    isFirst = false
  }
}
