import { setTimeout as pause } from 'node:timers/promises'
import { canCopy, type PostgresServer, type PostgresStandby, startStandby } from '../../support/postgres.ts'
import type { Release } from '../../support/temporary.ts'
import { type Cluster, startDatabase } from '../cluster.ts'
import { CannotInject, type Fault, type Trial } from '../fault.ts'
import { endureHarms, type Harm, type HarmfulCluster } from '../harms.ts'

const LOOK_EVERY_MS = 50
/** What each document is promised after the standby has heard the last. */
const UNHEARD_PROMISES = 30
/** In which one node may give numbers anew that the others know as those of what is lost. */
const LONGEST_LEAD_MS = 3_000
/** Within which those who still have what is lost bring it back, from when they are in step. */
const BRING_BACK_LIMIT_MS = 5_000

/** A primary and its standby, in the places that the links of all nodes lead to. */
class Pair {
  readonly #release: Release
  readonly #isSynchronous: boolean
  #primary: PostgresServer
  #standby: PostgresStandby

  private constructor(release: Release, isSynchronous: boolean, primary: PostgresServer, standby: PostgresStandby) {
    this.#release = release
    this.#isSynchronous = isSynchronous
    this.#primary = primary
    this.#standby = standby
  }

  static async start(release: Release, isSynchronous: boolean): Promise<Pair> {
    const primary = await startDatabase(release)
    if (!canCopy()) throw new CannotInject('needs pg_basebackup')
    const pair = new Pair(release, isSynchronous, primary, await startStandby(release, primary))
    await pair.#follow()
    return pair
  }

  get hosts(): readonly PostgresServer[] {
    return [this.#primary, this.#standby]
  }

  get standby(): PostgresStandby {
    return this.#standby
  }

  /** The primary is gone, and the standby takes its place. Nobody gets to it before `check` is done. */
  async failOver(cluster: Cluster, check: () => Promise<readonly string[]>): Promise<readonly string[]> {
    await this.#primary.crash()
    cluster.lockOut()
    await this.#standby.promote()
    cluster.primary = this.#standby
    const broken = await check()
    cluster.letIn()
    return broken
  }

  /** Puts a new standby in the place of the primary that is gone. */
  async complete(cluster: Cluster): Promise<void> {
    if (this.#primary.isRunning) return
    const place = cluster.hosts.indexOf(this.#primary)
    this.#primary = this.#standby
    // The settings come with the copy: nobody waits for a standby that is not there yet.
    await setting(this.#primary, `RESET synchronous_standby_names`)
    this.#standby = await startStandby(this.#release, this.#primary)
    cluster.hosts[place] = this.#standby
    cluster.letIn()
    await this.#follow()
  }

  async #follow(): Promise<void> {
    const streaming = `SELECT FROM pg_stat_replication WHERE state = 'streaming'`
    while ((await this.#primary.execute(this.#primary.url('postgres'), streaming)).length === 0) {
      await pause(LOOK_EVERY_MS)
    }
    if (this.#isSynchronous) await setting(this.#primary, `SET synchronous_standby_names = '*'`)
  }
}

async function setting(postgres: PostgresServer, change: string): Promise<void> {
  await postgres.execute(postgres.url('postgres'), `ALTER SYSTEM ${change}`)
  await postgres.execute(postgres.url('postgres'), 'SELECT pg_reload_conf()')
}

function synchronous(pair: Pair): Harm {
  return {
    name: 'synchronous',
    inject: async (cluster) => {
      await pair.complete(cluster)
      await cluster.circles.goOn()
      return pair.failOver(cluster, () => cluster.look())
    },
  }
}

function asynchronous(pair: Pair): Harm {
  return {
    name: 'asynchronous',
    inject: async (cluster) => {
      await pair.complete(cluster)
      await pair.standby.cutOff()
      await cluster.circles.allGrow(UNHEARD_PROMISES)
      return pair.failOver(cluster, async () => {
        const lost = await cluster.look()
        if (lost.length === 0) return ['the standby has everything: this proves nothing']
        cluster.letIn([cluster.anyNode()])
        await pause(cluster.random.below(LONGEST_LEAD_MS))
        return []
      })
    },
    recovered: async (cluster) => {
      for (const end = performance.now() + BRING_BACK_LIMIT_MS; ; await pause(LOOK_EVERY_MS)) {
        const missing = await cluster.look()
        if (missing.length === 0 || performance.now() > end) return missing
      }
    },
  }
}

async function promoted(
  { release }: Pick<Trial, 'release'>,
  isSynchronous: boolean,
  harmOf: (pair: Pair) => Harm,
): Promise<HarmfulCluster> {
  const pair = await Pair.start(release, isSynchronous)
  return { hosts: pair.hosts, harms: [harmOf(pair)] }
}

export const clusterPromotion: Fault = {
  name: 'cluster-promotion',
  what: 'PostgreSQL is killed and its synchronous standby takes its place: nothing acknowledged or shown is lost',
  amount: { unit: 'times', onDemand: 5, inTests: 1 },
  run: (trial) => endureHarms(trial, (parts) => promoted(parts, true, synchronous)),
}

export const clusterLossyPromotion: Fault = {
  name: 'cluster-lossy-promotion',
  what: 'PostgreSQL is killed and a standby that lags behind takes its place: those who still have what is lost bring it back',
  amount: { unit: 'times', onDemand: 5, inTests: 1 },
  run: (trial) => endureHarms(trial, (parts) => promoted(parts, false, asynchronous)),
}
