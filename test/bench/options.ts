import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'

export const USAGE = `npm run bench -- [options]

  --only NAMES     the loads to run, separated by commas (default: all)
  --servers NAMES  the servers to run them on (default: coedit,hocuspocus,y-websocket; coedit,hocuspocus with --nodes)
  --nodes NUMBERS  other loads, each for so many nodes that share the work, such as 1,2,4: coedit on PostgreSQL, hocuspocus
                   with Redis, and where one will do "leveldb", which is coedit on that (default: one server alone)
  --runs N         how often, servers in turn; the report has the medians (default: 1)
  --seconds N      how long people type, in the loads that go by time (default: 10)
  --warm-up N      how long they have typed before anything counts; 0 shows a server that has just started (default: 30)
  --data DIR       where the servers store, each run in a fresh directory of its own (default: the temporary directory)
  --profile DIR    where each server writes its CPU profile (default: none is taken)
  --check          coedit alone and everything small: whether the bench works, not how fast anything is
`

export interface Options {
  /** Empty: all. */
  readonly only: readonly string[]
  readonly servers: readonly string[]
  /** Empty: one server alone. */
  readonly nodes: readonly number[]
  readonly runs: number
  /** Undefined: as the scale has it. */
  readonly seconds: number | undefined
  /** Undefined: as the scale has it. */
  readonly warmUpSeconds: number | undefined
  readonly data: string
  readonly profile: string | undefined
  readonly check: boolean
}

/** Throws with a message for the user where an argument is unknown or no number. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      servers: { type: 'string' },
      nodes: { type: 'string', default: '' },
      runs: { type: 'string', default: '1' },
      seconds: { type: 'string' },
      'warm-up': { type: 'string' },
      data: { type: 'string', default: tmpdir() },
      profile: { type: 'string' },
      check: { type: 'boolean', default: false },
    },
  })
  const nodes = names(values.nodes).map((number) => wholeNumber('nodes', number))
  const peers = nodes.length === 0 ? 'coedit,hocuspocus,y-websocket' : 'coedit,hocuspocus'
  return {
    only: names(values.only ?? ''),
    servers: names(values.servers ?? (values.check ? 'coedit' : peers)),
    nodes,
    runs: wholeNumber('runs', values.runs),
    seconds: values.seconds === undefined ? undefined : wholeNumber('seconds', values.seconds),
    warmUpSeconds: values['warm-up'] === undefined ? undefined : wholeNumber('warm-up', values['warm-up'], 0),
    data: values.data,
    profile: values.profile,
    check: values.check,
  }
}

function names(list: string): string[] {
  return list.split(',').filter((name) => name !== '')
}

function wholeNumber(option: string, value: string, least = 1): number {
  const number = /^\d{1,4}$/.test(value) ? Number(value) : Number.NaN
  if (number >= least) return number
  throw new Error(`--${option} takes a whole number from ${least} to 9999, not "${value}".`)
}
