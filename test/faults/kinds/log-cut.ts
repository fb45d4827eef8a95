import { truncate } from 'node:fs/promises'
import { fileWith } from '../../support/files.ts'
import type { Fault } from '../fault.ts'
import { type Served, WrittenLog } from '../written-log.ts'

const CUT_BYTES = 64 * 1024
/** So that something is left of every document. */
const LOG_BYTES = 1.5 * CUT_BYTES
const SAY_EVERY = 1_000

export const logCut: Fault = {
  name: 'log-cut',
  what: 'the log of the database is cut in its last 64 KiB, at every byte: what was written before is served, exactly',
  amount: { unit: 'times', onDemand: CUT_BYTES, inTests: 100 },
  run: async ({ release, amount, random, say }) => {
    const written = await WrittenLog.write(release, random, LOG_BYTES)
    const end = written.acknowledged.at(-1)?.logBytes ?? 0
    const cuts = Math.min(amount, CUT_BYTES)
    const broken: string[] = []
    for (let injected = 1; injected <= cuts; injected++) {
      const at = end - Math.ceil((injected * CUT_BYTES) / cuts)
      const served = await written.servedAfter(async (directory) => truncate(await fileWith(directory, '.log'), at))
      broken.push(...differences(served, written.headsAt(at)).map((what) => `cut at ${at}: ${what}`))
      if (injected % SAY_EVERY === 0) say(`${injected} cuts`)
    }
    return { injected: cuts, promised: written.acknowledged.length, broken }
  },
}

/** What is served although it was not written so far, or not served although it was. */
function differences(served: Served, expected: ReadonlyMap<string, number>): readonly string[] {
  if (served === 'aborted') return ['the process was aborted']
  if ('code' in served) return [served.code]
  const differing = [...expected].filter(([document, head]) => (served.heads.get(document) ?? 0) !== head)
  return [...served.wrong, ...differing.map(([document, head]) => `'${document}' does not end at ${head}`)]
}
