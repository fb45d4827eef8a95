import { setTimeout as pause } from 'node:timers/promises'
import { Usage } from '../../bench/servers/usage.ts'
import { startServer } from '../../support/process.ts'
import { startProxy, type TcpProxy } from '../../support/proxy.ts'
import { inScope } from '../../support/scope.ts'
import { Circles, COMPACTING } from '../circles.ts'
import type { Fault, Trial } from '../fault.ts'
import { MemoryTrend } from '../memory-trend.ts'

const MS_PER_MINUTE = 60_000
const HEAP_MIB = 256
/** In one shift people come, type, lose their connections now and then, and leave; the next has documents of its own. */
const SHIFT_MS = 10_000
const LOOK_EVERY_MS = 1_000
const CHANCE_OF_RESET = 0.1
/** Over the time that is looked at; what a collection that is due or not makes of the figure is about as much. */
const MOST_RISE_MIB = 32
/** Before that the process still warms up. */
const MINUTES_TO_JUDGE = 5

export const soak: Fault = {
  name: 'soak',
  what: 'people come and go, and 256 MiB of heap are enough: the memory does not rise, and nothing promised is lost',
  amount: { unit: 'minutes', onDemand: 30, inTests: 0.2 },
  run: async (trial) => {
    const { release, amount, say } = trial
    const env = { NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}` }
    const server = await startServer({ release, flags: COMPACTING, env })
    const proxy = await startProxy({ release, target: server.url })
    const memory = new MemoryTrend()
    const usage = new Usage([server.pid])
    const start = performance.now()
    const minutes = () => (performance.now() - start) / MS_PER_MINUTE
    const look = () => memory.add(minutes(), usage.memory().residentKiB / 1024)

    const shifts: Circles[] = []
    while (minutes() < amount) {
      shifts.push(await workShift(trial, proxy, shifts.length, look))
      say(`${minutes().toFixed(1)} minutes, ${promisedTo(shifts)} promises, ${memory.slope.toFixed(1)} MiB a minute`)
    }
    await server.kill()
    const { url } = await startServer({ release, data: server.data })
    const broken: string[] = []
    for (const circles of shifts) broken.push(...(await circles.brokenAt(url)))
    if (amount >= MINUTES_TO_JUDGE && memory.rise > MOST_RISE_MIB) broken.push('the memory rises')
    const measured = `memory ${memory.slope.toFixed(2)} MiB a minute, at most ${memory.highest.toFixed(0)} MiB`
    return { injected: shifts.length, promised: promisedTo(shifts), broken, measured }
  },
}

/** Resolves when everybody has left, having seen what all have written. */
function workShift({ random }: Trial, proxy: TcpProxy, shift: number, look: () => void): Promise<Circles> {
  return inScope(async (release) => {
    const documents = ['a', 'b', 'c'].map((letter) => `shift ${shift} ${letter}`)
    const circles = new Circles({ release, url: proxy.url, random, documents })
    await circles.start()
    for (const end = performance.now() + SHIFT_MS; performance.now() < end; ) {
      await pause(LOOK_EVERY_MS)
      if (random.chance(CHANCE_OF_RESET)) proxy.reset()
      look()
    }
    await circles.converge()
    return circles
  })
}

function promisedTo(shifts: readonly Circles[]): number {
  return shifts.reduce((sum, { promised }) => sum + promised, 0)
}
