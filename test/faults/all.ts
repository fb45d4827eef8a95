import type { Fault } from './fault.ts'
import { bitFlip } from './kinds/bit-flip.ts'
import { clock } from './kinds/clock.ts'
import { clusterDisk } from './kinds/cluster-disk.ts'
import { clusterFreeze } from './kinds/cluster-freeze.ts'
import { clusterKill } from './kinds/cluster-kill.ts'
import { clusterLinks, clusterListeners } from './kinds/cluster-links.ts'
import { clusterNetwork } from './kinds/cluster-network.ts'
import { clusterLossyPromotion, clusterPromotion } from './kinds/cluster-promotion.ts'
import { fullDisk } from './kinds/full-disk.ts'
import { http } from './kinds/http.ts'
import { kill } from './kinds/kill.ts'
import { logCut } from './kinds/log-cut.ts'
import { manifest } from './kinds/manifest.ts'
import { halfOpen, partition, reset } from './kinds/network.ts'
import { power } from './kinds/power.ts'
import { rollingRestart } from './kinds/rolling-restart.ts'
import { second } from './kinds/second.ts'
import { soak } from './kinds/soak.ts'
import { stalled } from './kinds/stalled.ts'
import { webhooks } from './kinds/webhooks.ts'

/** What befalls one server on LevelDB, in the order in which it is injected. */
export const FAULTS_OF_ONE: readonly Fault[] = [
  kill,
  http,
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
  stalled,
  webhooks,
  soak,
]

/** What befalls several servers on PostgreSQL. */
export const FAULTS_OF_SEVERAL: readonly Fault[] = [
  rollingRestart,
  clusterKill,
  clusterFreeze,
  clusterLinks,
  clusterListeners,
  clusterNetwork,
  clusterPromotion,
  clusterLossyPromotion,
  clusterDisk,
]

export const FAULTS: readonly Fault[] = [...FAULTS_OF_ONE, ...FAULTS_OF_SEVERAL]
