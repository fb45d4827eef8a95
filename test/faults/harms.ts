import { Latencies } from '../bench/clients/latencies.ts'
import { inScope } from '../support/scope.ts'
import { Cluster, type ClusterOptions } from './cluster.ts'
import type { Finding, Trial } from './fault.ts'

/** After a harm is over, in which all are in step again, of 99 in 100 documents. */
const IN_STEP_MS = 5_000
/** Documents grow with each harm, so after so many others are begun. */
const HARMS_PER_ROUND = 50

/** More than there are harms in any cluster. */
const MANY = 1_000

/** Something that befalls a cluster. */
export interface Harm {
  readonly name: string
  /** Resolves when it is over, with what is broken by then, in words. */
  inject(cluster: Cluster): Promise<readonly string[]>
  /** Called when all are in step again, with the same result. */
  recovered?(cluster: Cluster): Promise<readonly string[]>
}

/** What a cluster is made with, and what befalls it. */
export interface HarmfulCluster extends Omit<ClusterOptions, 'release' | 'random'> {
  readonly harms: readonly Harm[]
}

/**
 * Harms a cluster in each of the ways in turn while people type, `trial.amount` times or until a promise is broken, and
 * measures how long each time all need to be in step again.
 */
export async function endureHarms(
  trial: Trial,
  prepare: (options: Pick<Trial, 'release' | 'random'>) => Promise<HarmfulCluster>,
): Promise<Finding> {
  const times = new Latencies()
  const counts = new Map<string, number>()
  let [injected, promised] = [0, 0]
  const broken: string[] = []
  // So that each has its turn where there are few.
  const first = trial.random.below(MANY)
  while (injected < trial.amount && broken.length === 0) {
    await inScope(async (release) => {
      const { harms, ...options } = await prepare({ ...trial, release })
      const cluster = await Cluster.start({ ...options, release, random: trial.random })
      const { circles } = cluster
      for (let left = HARMS_PER_ROUND; left > 0 && injected < trial.amount && broken.length === 0; left--) {
        const harm = harms[(first + injected) % harms.length]
        await circles.goOn()
        broken.push(...(await harm.inject(cluster)))
        for (const ms of await circles.inStep()) times.add(ms)
        broken.push(...((await harm.recovered?.(cluster)) ?? []), ...(await cluster.look()))
        counts.set(harm.name, 1 + (counts.get(harm.name) ?? 0))
        injected++
        trial.say(`${injected} times, ${promised + circles.promised} promises, ${inWords(times)}`)
      }
      if (broken.length === 0) broken.push(...(await cluster.differences()))
      promised += circles.promised
    })
  }
  const late = times.quantile(0.99) > IN_STEP_MS ? [`it took too long: ${inWords(times)}`] : []
  const measured = [...counts].map(([name, count]) => `${name} ${count}`).join(', ')
  return { injected, promised, broken, late, measured: `${measured}; ${inWords(times)}` }
}

function inWords(times: Latencies): string {
  const [p50, p99] = [0.5, 0.99].map((share) => times.quantile(share).toFixed(0))
  return `in step again after p50 ${p50} ms, p99 ${p99} ms`
}
