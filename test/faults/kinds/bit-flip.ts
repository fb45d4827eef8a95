import { readFile, writeFile } from 'node:fs/promises'
import { fileWith } from '../../support/files.ts'
import type { Random } from '../../support/random.ts'
import type { Fault } from '../fault.ts'
import { type Served, WrittenLog } from '../written-log.ts'

const BYTES = 128 * 1024
const SAY_EVERY = 100

/** What can come of it. */
const OUTCOMES = {
  whole: 'served all',
  reported: 'served less and said so',
  unreported: 'served less and said nothing',
  refused: 'refused',
  aborted: 'aborted by LevelDB',
}

type Outcome = keyof typeof OUTCOMES

export const bitFlip: Fault = {
  name: 'bit-flip',
  what: 'a bit flips in the log or in a table: nothing wrong is ever served; what else may come of it is counted',
  amount: { unit: 'times', onDemand: 2_000, inTests: 100 },
  run: async ({ release, amount, random, say }) => {
    const write = () => WrittenLog.write(release, random, BYTES)
    const log = { kind: 'log', ending: '.log', written: await write(), counts: new Counts() }
    const table = { kind: 'table', ending: '.ldb', written: await write(), counts: new Counts() }
    await table.written.settle()
    const broken: string[] = []
    for (let injected = 1; injected <= amount; injected++) {
      const { kind, ending, written, counts } = injected % 2 ? log : table
      const served = await written.servedAfter(async (directory) => flip(await fileWith(directory, ending), random))
      broken.push(...wrongIn(served).map((what) => `after a flip in the ${kind}: ${what}`))
      counts.add(outcomeOf(served, written.headsAt()))
      if (injected % SAY_EVERY === 0) say(`${injected} flips`)
    }
    const promised = log.written.acknowledged.length + table.written.acknowledged.length
    const measured = `log: ${log.counts}; table: ${table.counts}`
    return { injected: amount, promised, broken, measured }
  },
}

async function flip(path: string, random: Random): Promise<void> {
  const content = await readFile(path)
  content[random.below(content.length)] ^= 1 << random.below(8)
  await writeFile(path, content)
}

function wrongIn(served: Served): readonly string[] {
  if (served === 'aborted') return []
  if ('code' in served) return served.code === 'STORAGE_DAMAGED' ? [] : [served.code]
  return served.wrong
}

function outcomeOf(served: Served, written: ReadonlyMap<string, number>): Outcome {
  if (served === 'aborted') return 'aborted'
  if ('code' in served) return 'refused'
  const isWhole = [...written].every(([document, head]) => served.heads.get(document) === head)
  if (isWhole) return 'whole'
  return served.isReported ? 'reported' : 'unreported'
}

class Counts {
  readonly #counts = new Map<Outcome, number>()

  add(outcome: Outcome): void {
    this.#counts.set(outcome, 1 + (this.#counts.get(outcome) ?? 0))
  }

  toString(): string {
    return [...this.#counts].map(([outcome, count]) => `${count} ${OUTCOMES[outcome]}`).join(', ')
  }
}
