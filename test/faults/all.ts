import type { Fault } from './fault.ts'
import { kill } from './kinds/kill.ts'
import { power } from './kinds/power.ts'

/** Every fault, in the order in which they are injected. */
export const FAULTS: readonly Fault[] = [kill, power]
