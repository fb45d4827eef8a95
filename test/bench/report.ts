import { type Goal, type Load, type Metric, titleOf } from './loads/load.ts'
import type { Outcome } from './runner.ts'
import type { Scale } from './scale.ts'
import type { ServerKind } from './servers/server.ts'

export interface ReportInput {
  readonly outcomes: readonly Outcome[]
  readonly loads: readonly Load[]
  readonly servers: readonly ServerKind[]
  readonly runs: number
  readonly scale: Scale
  readonly machine: string
  /** Whose figures have goals, and whom they are compared with. */
  readonly coedit: ServerKind
  readonly hocuspocus: ServerKind
}

/** One Markdown table of the medians, what it was measured on before it, and what each load is after it. */
export function report(input: ReportInput): string {
  const { outcomes, loads, servers, runs, scale, machine } = input
  const names = servers.map(({ name }) => name)
  const head = ['load', 'metric', ...names, 'coedit ÷ hocuspocus', 'goal', 'met']
  const rows = loads.flatMap((load) => load.metrics.map((metric) => row(load, metric, input)))
  return [
    `Medians of ${runs} run${runs === 1 ? '' : 's'}; ${machine}.`,
    '',
    ...table([head, head.map(() => '---'), ...rows]),
    '',
    ...servers.map(({ name, settings }) => `- ${name}: ${settings}`),
    ...loads.map((load) => `- ${titleOf(load)}: ${load.describe(scale)}`),
    ...outcomes.flatMap(({ load, server, failures }) =>
      failures.map((failure) => `- failed: ${titleOf(load)} on ${server.name}: ${firstLine(failure)}`),
    ),
  ].join('\n')
}

function row(load: Load, metric: Metric, { servers, outcomes, coedit, hocuspocus }: ReportInput): string[] {
  const figureOf = (server: ServerKind): number | undefined => {
    const outcome = outcomes.find((candidate) => candidate.load === load && candidate.server === server)
    return outcome && median(outcome.figures.map((figures) => figures[metric.key] ?? Number.NaN))
  }
  const cellOf = (server: ServerKind): string => {
    const isMeasured = outcomes.some((outcome) => outcome.load === load && outcome.server === server)
    return isMeasured ? (format(figureOf(server)) ?? 'failed') : '–'
  }
  const own = figureOf(coedit)
  const peer = figureOf(hocuspocus)
  const ratio = own !== undefined && peer !== undefined ? own / peer : undefined
  return [
    titleOf(load),
    `${metric.label}, ${metric.unit}`,
    ...servers.map(cellOf),
    format(ratio) ?? '',
    metric.goal ? describeGoal(metric.goal) : '',
    metric.goal ? verdict(metric.goal, own, ratio) : '',
  ]
}

function describeGoal(goal: Goal): string {
  if ('atLeast' in goal) return `≥ ${goal.atLeast}`
  return 'atMost' in goal ? `≤ ${goal.atMost}` : `≤ ${goal.timesHocuspocus} × hocuspocus`
}

function verdict(goal: Goal, own: number | undefined, ratio: number | undefined): string {
  const isMet = meets(goal, own, ratio)
  if (isMet === undefined) return ''
  return isMet ? 'met' : 'NOT met'
}

function meets(goal: Goal, own: number | undefined, ratio: number | undefined): boolean | undefined {
  if ('timesHocuspocus' in goal) return ratio === undefined ? undefined : ratio <= goal.timesHocuspocus
  if (own === undefined) return undefined
  return 'atMost' in goal ? own <= goal.atMost : own >= goal.atLeast
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.floor((sorted.length - 1) / 2)]
  return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2
}

function format(value: number | undefined): string | undefined {
  if (value === undefined) return undefined
  return value >= 100 ? value.toFixed(0) : value.toPrecision(2 + Number(value >= 1))
}

function table(rows: readonly (readonly string[])[]): string[] {
  return rows.map((cells) => `| ${cells.join(' | ')} |`)
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
