import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startServer } from '../../support/process.ts'
import type { Random } from '../../support/random.ts'
import { inScope } from '../../support/scope.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { Circles, COMPACTING } from '../circles.ts'
import type { Fault, Trial } from '../fault.ts'

/** The files by which LevelDB finds all others: CURRENT names the manifest, which names the tables. */
interface Roots {
  readonly manifest: string
  readonly current: string
  readonly random: Random
}

const DAMAGES: readonly { readonly what: string; damage(roots: Roots): Promise<void> }[] = [
  { what: 'an empty MANIFEST', damage: ({ manifest }) => truncate(manifest) },
  { what: 'a MANIFEST cut short', damage: cutShort },
  { what: 'a flipped bit in the MANIFEST', damage: flipBit },
  { what: 'no MANIFEST', damage: ({ manifest }) => rm(manifest) },
  { what: 'an empty CURRENT', damage: ({ current }) => truncate(current) },
  { what: 'a CURRENT that leads nowhere', damage: ({ current }) => writeFile(current, 'MANIFEST-999999\n') },
  { what: 'no CURRENT', damage: ({ current }) => rm(current) },
]

export const manifest: Fault = {
  name: 'manifest',
  what: 'MANIFEST or CURRENT are damaged: the server says STORAGE_DAMAGED, ends and touches no record, or it serves all',
  amount: { unit: 'times', onDemand: 70, inTests: DAMAGES.length },
  run: async (trial) => {
    const { release, amount, random, say } = trial
    const { data, circles } = await written(trial)
    const broken: string[] = []
    let refused = 0
    for (let index = 0; index < amount; index++) {
      const { what, damage } = DAMAGES[index % DAMAGES.length]
      const copy = join(await temporaryDirectory(release), 'data')
      await cp(data, copy, { recursive: true })
      await damage(await rootsIn(copy, random))
      const outcome = await start(copy, circles)
      if (outcome === 'refused') refused++
      else broken.push(...outcome.map((problem) => `${what}: ${problem}`))
      say(`${what}: ${outcome}`)
    }
    return { injected: amount, promised: circles.promised, broken, measured: `refused ${refused}, served all else` }
  },
}

/** A directory with tables, a log, and a manifest that tells of them. */
async function written({ release, random }: Trial): Promise<{ data: string; circles: Circles }> {
  const server = await startServer({ release, flags: COMPACTING })
  const circles = new Circles({ release, url: server.url, random })
  await circles.start()
  await circles.allGrow(100)
  await circles.converge()
  await server.kill()
  const { data, kill } = await startServer({ release, data: server.data })
  await kill()
  return { data, circles }
}

/** Starts a server on the directory. What is broken where it neither refuses nor serves all. */
function start(data: string, circles: Circles): Promise<'refused' | readonly string[]> {
  return inScope(async (release) => {
    const before = await recordsIn(data)
    try {
      const { url } = await startServer({ release, data })
      return await circles.differencesAt(url)
    } catch (error) {
      if (!String(error).includes('STORAGE_DAMAGED')) throw error
    }
    const after = await recordsIn(data)
    return before.every((record, index) => after[index]?.equals(record)) ? 'refused' : ['records were touched']
  })
}

/** The content of the tables and logs. */
async function recordsIn(data: string): Promise<Buffer[]> {
  const names = (await readdir(data)).filter((name) => /\.(ldb|log)$/.test(name))
  return Promise.all(names.sort().map((name) => readFile(join(data, name))))
}

async function rootsIn(data: string, random: Random): Promise<Roots> {
  const current = join(data, 'CURRENT')
  return { manifest: join(data, (await readFile(current, 'utf8')).trim()), current, random }
}

async function cutShort({ manifest, random }: Roots): Promise<void> {
  await truncate(manifest, random.below((await readFile(manifest)).length))
}

async function flipBit({ manifest, random }: Roots): Promise<void> {
  const content = await readFile(manifest)
  content[random.below(content.length)] ^= 1 << random.below(8)
  await writeFile(manifest, content)
}
