import type { EventLoopUtilization } from 'node:perf_hooks'
import { Hono } from 'hono'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Authority } from '../auth/authority.ts'
import { cpuMeter } from '../common/busy-time.ts'
import type { Meters } from '../common/meters.ts'
import type { StorageDamage, StorageStatus } from '../storage/storage.ts'
import { bearerIn } from './credentials.ts'
import type { Env, Routes } from './routes.ts'

/** In seconds, from a fast disk to one that stalls. */
const BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]

/** Of one hook, as `stats` has them. */
interface Calls {
  readonly calls: number
  readonly failures: number
  readonly timeouts: number
  readonly dropped: number
}

/** What there is at the moment in which somebody asks. */
export interface Present {
  /** The name of the server, if it has one. */
  readonly node?: string
  readonly connections: number
  readonly visitors: number
  readonly documents: number
  readonly pendingBytes: number
  readonly storage: StorageStatus
  readonly damage: StorageDamage
  readonly hooks: Readonly<Record<string, Calls>>
}

/** How long something took since the start, in seconds. */
export interface Distribution {
  readonly count: number
  readonly sum: number
  /** How many took at most so long. */
  readonly buckets: readonly { readonly le: number; readonly count: number }[]
}

/** What was counted since the start. */
export interface Totals {
  readonly entries: number
  readonly commitFailures: number
  readonly commits: Distribution
  readonly shown: Distribution
  readonly compactions: Distribution
  readonly closes: Readonly<Record<string, number>>
  readonly refusals: Readonly<Record<string, number>>
  readonly limits: Readonly<Record<string, number>>
  readonly webhooks: { readonly deliveries: Distribution; readonly failures: number; readonly parked: number }
}

/** What the server tells Prometheus, in seconds and bytes as is usual there. */
export class Metrics {
  readonly meters: Meters
  readonly #registry = new Registry()
  readonly #counted = this.#counters()
  readonly #present: () => Present
  #loopThen: EventLoopUtilization = performance.eventLoopUtilization()

  constructor(present: () => Present) {
    this.#present = present
    this.meters = this.#count()
    this.#look()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  get present(): Present {
    return this.#present()
  }

  async totals(): Promise<Totals> {
    const { entries, failures, commits, shown, compactions, closes, refusals, limits, webhooks } = this.#counted
    return {
      entries: await countOf(entries),
      commitFailures: await countOf(failures),
      commits: await distributionOf(commits),
      shown: await distributionOf(shown),
      compactions: await distributionOf(compactions),
      closes: await valuesBy('code', closes),
      refusals: await valuesBy('code', refusals),
      limits: await valuesBy('option', limits),
      webhooks: {
        deliveries: await distributionOf(webhooks.deliveries),
        failures: await countOf(webhooks.untold),
        parked: await countOf(webhooks.parked),
      },
    }
  }

  #counters() {
    const entries = this.#counter('coedit_entries_total', 'Log entries that were made durable.')
    const failures = this.#counter('coedit_commit_failures_total', 'Commits that the storage refused.')
    const commits = this.#histogram('coedit_commit_seconds', 'How long a batch of entries took until it was durable.')
    const shown = this.#histogram(
      'coedit_shown_seconds',
      'From the first edit of a batch until all have been handed it.',
    )
    const compactions = this.#histogram('coedit_compaction_seconds', 'How long workers took to rewrite a document.')
    const closes = this.#counter('coedit_closes_total', 'WebSockets that are closed, by code.', 'code')
    const refusals = this.#counter('coedit_refusals_total', 'Requests and upgrades refused, by code.', 'code')
    const limits = this.#counter(
      'coedit_limits_total',
      'How often somebody was slowed down, or something left out, by the option.',
      'option',
    )
    const deliveries = this.#histogram('coedit_webhook_seconds', 'How long webhooks took to be told of a document.')
    const untold = this.#counter('coedit_webhook_failures_total', 'Attempts to tell a webhook that have failed.')
    const parked = this.#counter('coedit_webhook_parked_total', 'Those after which it is not tried again by itself.')
    const webhooks = { deliveries, untold, parked }
    return { entries, failures, commits, shown, compactions, closes, refusals, limits, webhooks }
  }

  /** What is counted as it happens. */
  #count(): Meters {
    const { entries, failures, commits, shown, compactions, closes, refusals, limits, webhooks } = this.#counted
    return {
      committed: (count, ms) => {
        entries.inc(count)
        commits.observe(ms / 1000)
      },
      commitFailed: () => failures.inc(),
      shown: (ms) => shown.observe(ms / 1000),
      compacted: (ms) => compactions.observe(ms / 1000),
      closed: (code) => closes.inc({ code }),
      refused: (code) => refusals.inc({ code }),
      limited: (option) => limits.inc({ option }),
      webhookDelivered: (ms) => webhooks.deliveries.observe(ms / 1000),
      webhookFailed: (isParked) => {
        webhooks.untold.inc()
        if (isParked) webhooks.parked.inc()
      },
    }
  }

  /** What is looked at when somebody asks. */
  #look(): void {
    const now = this.#present
    this.#gauge('coedit_connections', 'Open WebSockets.', () => now().connections)
    this.#gauge('coedit_visitors', 'Who is let into a document, by WebSocket or event stream.', () => now().visitors)
    this.#gauge('coedit_documents', 'Documents in memory.', () => now().documents)
    this.#gauge('coedit_pending_bytes', 'Bytes of edits that are not durable yet.', () => now().pendingBytes)
    this.#gauge('coedit_storage_ok', '1 while the storage can write, otherwise 0.', () =>
      now().storage.state === 'ok' ? 1 : 0,
    )
    this.#gauge('coedit_event_loop_share', 'Share of time since the last look that the event loop was busy.', () => {
      const { utilization } = performance.eventLoopUtilization(this.#loopThen)
      this.#loopThen = performance.eventLoopUtilization()
      return utilization
    })
    this.#gauge('process_resident_memory_bytes', 'Resident memory of the process.', () => process.memoryUsage.rss())
    this.#total('process_cpu_seconds_total', 'CPU time of the process.', (add) => add(cpuMeter() / 1000))
    this.#total(
      'coedit_damage_total',
      'What was found damaged since the start, by kind.',
      (add) => {
        for (const [kind, count] of Object.entries(now().damage)) add(count, { kind })
      },
      'kind',
    )
    this.#total(
      'coedit_hook_calls_total',
      'Calls of hooks, and how many of them failed, were given up or not made.',
      (add) => {
        for (const [hook, counts] of Object.entries(now().hooks)) {
          for (const [kind, count] of Object.entries(counts)) add(count, { hook, kind })
        }
      },
      'hook',
      'kind',
    )
  }

  #counter<L extends string>(name: string, help: string, ...labelNames: L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: BUCKETS, registers: [this.#registry] })
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(value())
      },
    })
  }

  /** A counter that is kept elsewhere. */
  #total<L extends string>(
    name: string,
    help: string,
    collect: (add: (count: number, labels?: Record<L, string>) => void) => void,
    ...labelNames: L[]
  ): void {
    new Counter<L>({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset()
        collect((count, labels) => (labels ? this.inc(labels, count) : this.inc(count)))
      },
    })
  }
}

async function countOf(counter: Counter): Promise<number> {
  return (await counter.get()).values[0]?.value ?? 0
}

async function valuesBy<L extends string>(label: L, counter: Counter<L>): Promise<Record<string, number>> {
  const { values } = await counter.get()
  return Object.fromEntries(values.map(({ labels, value }) => [String(labels[label]), value]))
}

async function distributionOf(histogram: Histogram): Promise<Distribution> {
  const { values } = await histogram.get()
  const sumOf = (suffix: string) => values.find(({ metricName }) => metricName?.endsWith(suffix))?.value ?? 0
  const buckets = values.flatMap(({ labels: { le }, value: count }) => (typeof le === 'number' ? [{ le, count }] : []))
  return { count: sumOf('_count'), sum: sumOf('_sum'), buckets }
}

/** `GET /metrics`, for whoever's token has the right `status`; where nobody is asked for a token, for everybody. */
export function createMetricsRoutes(metrics: Metrics, authority: Authority): Routes {
  const routes = new Hono<Env>()
  routes.get('/metrics', async (c) => {
    await authority.authorizeStatus(bearerIn(c.req.header('authorization')))
    c.header('cache-control', 'no-store')
    return c.body(await metrics.text(), 200, { 'content-type': metrics.contentType })
  })
  return routes
}
