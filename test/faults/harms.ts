import { Latencies } from '../bench/clients/latencies.ts'
import { inScope } from '../support/scope.ts'
import { Cluster, type ClusterOptions } from './cluster.ts'
import type { Finding, Trial } from './fault.ts'

/** Within which all are in step again after a harm, of 99 in 100 documents, where it says nothing else. */
export const IN_STEP_MS = 5_000
/** Documents grow with each harm, so after so many others are begun. */
const HARMS_PER_ROUND = 50

/** More than there are harms in any cluster. */
const MANY = 1_000

/** Something that befalls a cluster. */
export interface Harm {
  readonly name: string
  /** Within how many milliseconds after it all are in step again, of 99 in 100 documents. Default: IN_STEP_MS. */
  readonly inStepMs?: number
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
  const aftermaths = new Map<string, Aftermath>()
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
        const aftermath = aftermaths.get(harm.name) ?? new Aftermath(harm)
        aftermaths.set(harm.name, aftermath.add(await circles.inStep()))
        broken.push(...((await harm.recovered?.(cluster)) ?? []), ...(await cluster.look()))
        injected++
        trial.say(`${injected} times, ${promised + circles.promised} promises; ${aftermath}`)
      }
      if (broken.length === 0) broken.push(...(await cluster.differences()))
      promised += circles.promised
    })
  }
  const all = [...aftermaths.values()]
  const late = all.filter(({ isLate }) => isLate).map((aftermath) => `it took too long: ${aftermath}`)
  return { injected, promised, broken, late, measured: all.join('; ') }
}

/** How long all needed to be in step again after harms of one kind. */
class Aftermath {
  readonly #harm: Harm
  readonly #times = new Latencies()
  #harms = 0

  constructor(harm: Harm) {
    this.#harm = harm
  }

  get isLate(): boolean {
    return this.#times.quantile(0.99) > (this.#harm.inStepMs ?? IN_STEP_MS)
  }

  /** @param times of each document, in milliseconds */
  add(times: readonly number[]): this {
    this.#harms++
    for (const ms of times) this.#times.add(ms)
    return this
  }

  toString(): string {
    const [p50, p99] = [0.5, 0.99].map((share) => this.#times.quantile(share).toFixed(0))
    return `${this.#harm.name} ${this.#harms}, in step again after p50 ${p50} ms, p99 ${p99} ms`
  }
}
