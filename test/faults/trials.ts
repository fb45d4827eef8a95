import { expect, test } from 'vitest'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { inScope } from '../support/scope.ts'
import { CannotInject, type Fault, type Finding, type Trial } from './fault.ts'

/** Far above what any takes on a busy machine. */
const TIME_LIMIT = { timeout: runs(300_000) }

/** Of what is broken; it may be thousands of lines. */
const MOST_TOLD = 20

/** A test of each. */
export function testFaults(faults: readonly Fault[]): void {
  test.for(faults.map((fault) => [fault.name, fault.what, fault] as const))(
    '%s: %s',
    TIME_LIMIT,
    async ([, , fault], { skip }) => {
      const seed = Math.floor(Math.random() * 2 ** 32)
      console.log(`${fault.name}: seed ${seed}`)
      const finding = await inject(fault, {
        amount: runs(1) * fault.amount.inTests,
        random: new Random(seed),
        say: () => undefined,
      })
      if (finding instanceof CannotInject) return skip(finding.message)
      expect(finding.broken.slice(0, MOST_TOLD)).toEqual([])
      expect(finding.injected).toBeGreaterThan(0)
    },
  )
}

async function inject(fault: Fault, trial: Omit<Trial, 'release'>): Promise<Finding | CannotInject> {
  try {
    return await inScope((release) => fault.run({ ...trial, release }))
  } catch (error) {
    if (error instanceof CannotInject) return error
    throw error
  }
}
