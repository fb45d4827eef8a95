import { parseArgs } from 'node:util'

export const USAGE = `npm run fuzz -- [options]

  --minutes N    how long (default: 1)
  --count N      how many inputs, instead of a time
  --seed N       of all random choices, as an earlier run printed it (default: a random one)
  --only A-B     these inputs alone, as a find names them; a single one as N
  --cluster      to one of three servers that share a PostgreSQL, with the others at all of them
  --hocuspocus   as @hocuspocus/provider sends them, over sockets with many documents
  --http         requests to the API instead, every method and body of it
  --validator    puts the inputs to the protocol code in this process; without it they go to a real server over WebSockets
  --record       records the traffic that inputs are made of anew; seeds mean other inputs from then on
`

export interface Options {
  readonly seed: number
  /** What ends the run. */
  readonly amount: { readonly minutes: number } | { readonly count: number }
  /** Number of the first input. */
  readonly first: number
  /** Whether inputs go over the sockets of @hocuspocus/provider. */
  readonly isKeyed: boolean
  /** Whether requests to the API are sent instead. */
  readonly isHttp: boolean
  readonly mode: 'server' | 'cluster' | 'validator' | 'record'
}

/** Throws with a message for the user where an argument is unknown or no number. */
export function readOptions(args: readonly string[], randomSeed: () => number): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '1' },
      count: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string' },
      cluster: { type: 'boolean', default: false },
      hocuspocus: { type: 'boolean', default: false },
      http: { type: 'boolean', default: false },
      validator: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
    },
  })
  const seed = values.seed === undefined ? randomSeed() : wholeNumber('seed', values.seed)
  const mode = (['record', 'validator', 'cluster'] as const).find((name) => values[name]) ?? 'server'
  const { hocuspocus: isKeyed, http: isHttp } = values
  if (values.only !== undefined) return { seed, mode, isKeyed, isHttp, ...range(values.only) }
  const minutes = wholeNumber('minutes', values.minutes)
  const amount = values.count === undefined ? { minutes } : { count: wholeNumber('count', values.count) }
  return { seed, mode, isKeyed, isHttp, amount, first: 0 }
}

function range(only: string): Pick<Options, 'first' | 'amount'> {
  const [first, last = first, ...others] = only.split('-').map((number) => wholeNumber('only', number))
  if (others.length > 0 || last < first) throw new Error(`--only takes a number or a range such as 5-9, not "${only}".`)
  return { first, amount: { count: last - first + 1 } }
}

function wholeNumber(option: string, value: string): number {
  if (!/^\d{1,10}$/.test(value)) throw new Error(`--${option} takes a whole number, not "${value}".`)
  return Number(value)
}
