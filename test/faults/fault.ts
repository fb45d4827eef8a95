import type { Random } from '../support/random.ts'
import type { Release } from '../support/temporary.ts'

/** One way in which a server can be harmed, and the check that it keeps its promises all the same. */
export interface Fault {
  /** As the command line names it. */
  readonly name: string
  /** What happens and what must hold, for the report. */
  readonly what: string
  /** How often it is injected, or for how many minutes it lasts: on demand, and in the test suite. */
  readonly amount: { readonly unit: 'times' | 'minutes'; readonly onDemand: number; readonly inTests: number }
  /** Rejects with CannotInject where the machine does not allow it. */
  run(trial: Trial): Promise<Finding>
}

/** What a fault is run with. */
export interface Trial {
  /** Where the clean-up goes. */
  readonly release: Release
  /** In the unit of the fault. */
  readonly amount: number
  readonly random: Random
  /** Tells whoever waits how far it is. */
  readonly say: (progress: string) => void
}

export interface Finding {
  /** How often the fault was injected. */
  readonly injected: number
  /** How many updates were promised: acknowledged by the server, or shown by it to somebody. */
  readonly promised: number
  /** Everything that should hold and does not, in words; lost promises above all. */
  readonly broken: readonly string[]
  /** What took longer than it may, in words. On a machine that does other work that says nothing: tests let it pass. */
  readonly late?: readonly string[]
  /** What was measured, in words. */
  readonly measured?: string
}

/** The machine lacks what the fault needs: a right, a program. Not a failure, but told loudly. */
export class CannotInject extends Error {
  override readonly name = 'CannotInject'
}
