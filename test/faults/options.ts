import { parseArgs } from 'node:util'

export const USAGE = `npm run faults -- [NAMES] [options]

  NAMES          the faults to inject, separated by blanks; "cluster" are all of several servers (default: all)
  --count N      how often each is injected, where it goes by times (default: its own)
  --minutes N    how long each lasts, where it goes by time (default: its own)
  --seed N       of all random choices, as an earlier run printed it (default: a random one)
  --list         only says which faults there are
`

export interface Options {
  /** Empty: all. */
  readonly names: readonly string[]
  readonly count: number | undefined
  readonly minutes: number | undefined
  readonly seed: number
  readonly list: boolean
}

/** Throws with a message for the user where an argument is unknown or no number. */
export function readOptions(args: readonly string[], randomSeed: () => number): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      count: { type: 'string' },
      minutes: { type: 'string' },
      seed: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  })
  return {
    names: positionals,
    count: wholeNumber('count', values.count),
    minutes: wholeNumber('minutes', values.minutes),
    seed: wholeNumber('seed', values.seed) ?? randomSeed(),
    list: values.list,
  }
}

function wholeNumber(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (!/^[1-9]\d{0,9}$/.test(value)) throw new Error(`--${option} takes a whole number from 1 on, not "${value}".`)
  return Number(value)
}
