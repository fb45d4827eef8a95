import { inScope } from '../../support/scope.ts'
import { endureCrashes, killable } from '../crashes.ts'
import type { Fault, Finding } from '../fault.ts'

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
      const amount = Math.min(left, KILLS_PER_ROUND)
      const round = await inScope(async (release) =>
        endureCrashes(await killable(release), { ...trial, release, say, amount }),
      )
      found.push(round)
      if (round.broken.length > 0) break
    }
    return total(found)
  },
}

function total(findings: readonly Finding[]): Finding {
  return {
    injected: findings.reduce((sum, { injected }) => sum + injected, 0),
    promised: findings.reduce((sum, { promised }) => sum + promised, 0),
    broken: findings.flatMap(({ broken }) => broken),
  }
}
