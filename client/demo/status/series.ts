import type { Distribution, Status } from './answers.ts'

/** What a plot shows of the time between two answers; null where there is nothing to tell. */
export type Values = readonly (number | null)[]

export interface Sample {
  /** Milliseconds of the epoch, by the clock of the server. */
  readonly at: number
  readonly status: Status
}

/** What is plotted: of the state of an answer, and of what has happened since the one before. */
export interface Quantity {
  readonly title: string
  readonly lines: readonly string[]
  readonly show: (value: number) => string
  readonly of: (now: Status, before: Status, seconds: number) => Values
}

const whole = (value: number): string => Math.round(value).toLocaleString('en')
const percent = (value: number): string => `${whole(100 * value)} %`

export const QUANTITIES: readonly Quantity[] = [
  {
    title: 'Connections',
    lines: ['WebSockets', 'in documents'],
    show: whole,
    of: ({ connections, visitors }) => [connections, visitors],
  },
  { title: 'Documents', lines: ['in memory'], show: whole, of: ({ documents }) => [documents] },
  {
    title: 'Edits made durable',
    lines: ['a second'],
    show: (value) => (value < 10 ? value.toFixed(1) : whole(value)),
    of: (now, before, seconds) => [(now.entries - before.entries) / seconds],
  },
  {
    title: 'Commit',
    lines: ['median', 'p99'],
    show: milliseconds,
    of: (now, before) => quantiles(now.commits, before.commits),
  },
  {
    title: 'Edit until all have it',
    lines: ['median', 'p99'],
    show: milliseconds,
    of: (now, before) => quantiles(now.shown, before.shown),
  },
  {
    title: 'Processor',
    lines: ['event loop', 'process'],
    show: percent,
    of: (now, before, seconds) => {
      const active = now.eventLoop.activeSeconds - before.eventLoop.activeSeconds
      const idle = now.eventLoop.idleSeconds - before.eventLoop.idleSeconds
      return [active / Math.max(active + idle, Number.EPSILON), (now.cpuSeconds - before.cpuSeconds) / seconds]
    },
  },
  {
    title: 'Webhooks',
    lines: ['told a minute', 'in vain'],
    show: whole,
    of: (now, before, seconds) => {
      const told = now.webhooks.deliveries.count - before.webhooks.deliveries.count
      return [(60 * told) / seconds, (60 * (now.webhooks.failures - before.webhooks.failures)) / seconds]
    },
  },
  { title: 'Memory', lines: ['resident'], show: bytes, of: ({ memoryBytes }) => [memoryBytes] },
  { title: 'Not durable yet', lines: ['waiting'], show: bytes, of: ({ pendingBytes }) => [pendingBytes] },
]

function quantiles(now: Distribution, before: Distribution): Values {
  return [0.5, 0.99].map((share) => quantile(now, before, share))
}

/** What so large a share of those took at most that came between two answers; it is somewhere in its bucket. */
function quantile(now: Distribution, before: Distribution, share: number): number | null {
  const wanted = share * (now.count - before.count)
  if (wanted <= 0) return null
  let [below, from] = [0, 0]
  for (const [index, { le, count }] of now.buckets.entries()) {
    const upTo = count - (before.buckets[index]?.count ?? 0)
    if (upTo >= wanted) return from + ((le - from) * (wanted - below)) / (upTo - below)
    ;[below, from] = [upTo, le]
  }
  return from
}

function milliseconds(seconds: number): string {
  const ms = 1000 * seconds
  return `${ms < 10 ? ms.toFixed(1) : whole(ms)} ms`
}

export function bytes(count: number): string {
  if (count < 1024) return `${whole(count)} B`
  const [unit, size] = count < 1024 ** 2 ? ['KiB', 1024] : ['MiB', 1024 ** 2]
  const value = count / size
  return `${value < 10 ? value.toFixed(1) : whole(value)} ${unit}`
}
