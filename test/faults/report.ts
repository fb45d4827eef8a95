import type { Fault, Finding } from './fault.ts'

/** What became of a fault: what it found, or why it was not injected. */
export interface Outcome {
  readonly fault: Fault
  readonly seconds: number
  readonly result: Finding | { readonly skipped: string } | { readonly failed: string }
}

/** Whether what must hold did. What was skipped says nothing. */
export function isFine({ result }: Outcome): boolean {
  if ('failed' in result) return false
  return 'skipped' in result || result.broken.length === 0
}

/** A database that is lost as a whole is lost in thousands of ways. */
const MOST_TOLD = 20

/** One Markdown table, and below it what is behind its names and what was broken. */
export function report(outcomes: readonly Outcome[]): string {
  const head = ['fault', 'injected', 'promised updates', 'broken', 'measured', 'seconds', 'result']
  const broken = outcomes.flatMap(({ fault, result }) =>
    'broken' in result ? result.broken.slice(0, MOST_TOLD).map((what) => `- broken by ${fault.name}: ${what}`) : [],
  )
  const failed = outcomes.flatMap(({ fault, result }) =>
    'failed' in result ? [`- failed: ${fault.name}: ${result.failed}`] : [],
  )
  return [
    ...[head, head.map(() => '---'), ...outcomes.map(row)].map((cells) => `| ${cells.join(' | ')} |`),
    '',
    ...outcomes.map(({ fault }) => `- ${fault.name}: ${fault.what}.`),
    ...broken,
    ...failed,
  ].join('\n')
}

function row(outcome: Outcome): string[] {
  const { fault, seconds, result } = outcome
  const time = seconds.toFixed(0)
  if ('skipped' in result) return [fault.name, '0', '', '', '', time, `SKIPPED: ${result.skipped}`]
  if ('failed' in result) return [fault.name, '', '', '', '', time, `FAILED: ${firstLine(result.failed)}`]
  const { injected, promised, broken, measured = '' } = result
  const verdict = isFine(outcome) ? 'holds' : 'BROKEN'
  return [fault.name, `${injected}`, `${promised}`, `${broken.length}`, firstLine(measured), time, verdict]
}

/** Some errors quote all that a process has printed. */
function firstLine(text: string): string {
  return text.split('\n', 1)[0]
}
