import type { Fault } from './fault.ts'
import { bitFlip } from './kinds/bit-flip.ts'
import { clock } from './kinds/clock.ts'
import { fullDisk } from './kinds/full-disk.ts'
import { kill } from './kinds/kill.ts'
import { logCut } from './kinds/log-cut.ts'
import { manifest } from './kinds/manifest.ts'
import { halfOpen, partition, reset } from './kinds/network.ts'
import { power } from './kinds/power.ts'
import { rollingRestart } from './kinds/rolling-restart.ts'
import { second } from './kinds/second.ts'
import { soak } from './kinds/soak.ts'
import { stalled } from './kinds/stalled.ts'

/** Every fault, in the order in which they are injected. */
export const FAULTS: readonly Fault[] = [
  kill,
  power,
  fullDisk,
  logCut,
  bitFlip,
  manifest,
  second,
  reset,
  partition,
  halfOpen,
  clock,
  rollingRestart,
  stalled,
  soak,
]
