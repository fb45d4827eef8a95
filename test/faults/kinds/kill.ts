import { startServer } from '../../support/process.ts'
import { inScope } from '../../support/scope.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { COMPACTING } from '../circles.ts'
import { endureCrashes } from '../crashes.ts'
import type { Fault, Finding, Trial } from '../fault.ts'

/** Documents grow with each kill, so after so many others are begun. */
const KILLS_PER_ROUND = 50

export const kill: Fault = {
  name: 'kill',
  what: 'kill -9 at any moment while people type and documents are compacted: nothing acknowledged or shown is lost',
  amount: { unit: 'times', onDemand: 1_000, inTests: 50 },
  run: async (trial) => {
    const found: Finding[] = []
    for (let left = trial.amount; left > 0; left -= KILLS_PER_ROUND) {
      const say = (progress: string) => trial.say(`${trial.amount - left} before, ${progress}`)
      const round = await inScope((release) =>
        killOften({ ...trial, release, say, amount: Math.min(left, KILLS_PER_ROUND) }),
      )
      found.push(round)
      if (round.broken.length > 0) break
    }
    return total(found)
  },
}

async function killOften(trial: Trial): Promise<Finding> {
  const { release } = trial
  const data = await temporaryDirectory(release)
  return endureCrashes(
    {
      start: () => startServer({ release, data, flags: COMPACTING }),
      crash: async (server) => void (await server.kill()),
    },
    trial,
  )
}

function total(findings: readonly Finding[]): Finding {
  return {
    injected: findings.reduce((sum, { injected }) => sum + injected, 0),
    promised: findings.reduce((sum, { promised }) => sum + promised, 0),
    broken: findings.flatMap(({ broken }) => broken),
  }
}
