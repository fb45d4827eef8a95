import { expect, onTestFinished, test } from 'vitest'
import { findPostgres, NO_POSTGRES, startPostgres } from '../support/postgres.ts'
import { runs } from '../support/runs.ts'
import { partsOf } from './amount.ts'
import { HttpInputs } from './http-inputs.ts'
import { Inputs } from './inputs.ts'
import { besiege, ROUND, type SiegePlan } from './siege.ts'
import { readTraffic } from './traffic.ts'
import { expectUnharmed } from './unharmed.ts'

const MINUTES = runs(1)
/** Half of it each for those who are innocent in other ways. */
const HALF = MINUTES / 2
/** The last round and the judgement come after the time is over. */
const TIME_LIMIT = { timeout: (MINUTES + 4) * 60_000 }

test('innocent editors notice nothing of a minute of hostile inputs, others in each run', TIME_LIMIT, () =>
  besiegeAtRandom(),
)

test('nor do those at other servers', TIME_LIMIT, async ({ skip }) => {
  skip(findPostgres() === undefined, NO_POSTGRES)
  await besiegeAtRandom({ database: await (await startPostgres(onTestFinished)).newDatabase(), minutes: HALF })
})

test('nor do those with Hocuspocus, by whose protocol they come', TIME_LIMIT, () =>
  besiegeAtRandom({ isKeyed: true, minutes: HALF }),
)

test('nor do they of hostile requests to the API', TIME_LIMIT, () => besiegeAtRandom({ isHttp: true, minutes: HALF }))

interface Siege extends Pick<SiegePlan, 'database' | 'isKeyed'> {
  readonly isHttp?: boolean
  readonly minutes?: number
}

async function besiegeAtRandom({ isHttp = false, minutes = MINUTES, ...how }: Siege = {}): Promise<void> {
  const seed = Math.floor(Math.random() * 2 ** 32)
  console.log(`seed ${seed}`)
  const traffic = await readTraffic()
  const report = await besiege({
    release: onTestFinished,
    traffic,
    inputs: new Inputs(seed, traffic),
    requests: isHttp ? new HttpInputs(seed, traffic) : undefined,
    ...how,
    first: 0,
    nextRound: partsOf({ minutes }, ROUND),
    say: () => undefined,
  })
  console.log(`${report.inputs} inputs over ${report.connections} connections, ${report.promises} edits were promised`)
  expectUnharmed(report)
  expect(report.inputs).toBeGreaterThanOrEqual(ROUND)
}
