import { Usage } from '../../bench/servers/usage.ts'
import { startServer } from '../../support/process.ts'
import { inScope } from '../../support/scope.ts'
import { Audience } from '../audience.ts'
import type { Fault } from '../fault.ts'

/** Of those who look on, one in so many stops. */
const SHARE = 10
/** With fewer, and other work on the machine, the latencies say nothing. */
const SCALE_OF_LATENCIES = 100
const SECONDS = 10
/** More than the system takes for a connection (4 MiB) and the server's option `socketBufferBytes`. */
const PASTES = 32
const PASTE_BYTES = 256 * 1024
const QUIET_MS = 1_000
const MOST_SLOWDOWN = 1.5
const MOST_MEMORY_MIB = 64
/** A compaction would take memory and time of its own, and not in both runs at the same moment. */
const NO_COMPACTION = ['--compact-min-bytes', '1073741824']

interface Measured {
  readonly p99: number
  readonly peakMiB: number
  readonly frames: Audience['frames']
}

export const stalled: Fault = {
  name: 'stalled',
  what: 'one in ten readers stops: the others hardly notice, the memory neither, and all of it can be caught up with',
  amount: { unit: 'times', onDemand: 100, inTests: 5 },
  run: async ({ amount, say }) => {
    const before = await measure(amount, false)
    say(`all reading: ${inWords(before)}`)
    const after = await measure(amount, true)
    say(`${amount} stopped: ${inWords(after)}`)
    const broken: string[] = []
    if (amount >= SCALE_OF_LATENCIES && after.p99 > MOST_SLOWDOWN * before.p99) broken.push('the others are too slow')
    if (after.peakMiB - before.peakMiB > MOST_MEMORY_MIB) broken.push('the memory is too much')
    if (after.frames.stopping >= after.frames.reading) {
      broken.push('those who stopped got every update by itself: they were never behind, and this proves nothing')
    }
    const measured = `all reading: ${inWords(before)}; ${amount} of ${SHARE * amount} stopped: ${inWords(after)}`
    return { injected: amount, promised: 0, broken, measured }
  },
}

/** The same work with and without those who stop, each on a server of its own. */
function measure(stopping: number, doStop: boolean): Promise<Measured> {
  return inScope(async (release) => {
    const server = await startServer({ release, flags: NO_COMPACTION })
    const usage = new Usage([server.pid])
    const audience = new Audience({ server, readers: SHARE * stopping, stopping, seconds: SECONDS })
    release(() => audience.close())
    await audience.connect()
    await usage.settle(QUIET_MS)
    usage.resetPeak()
    if (doStop) audience.stop()
    await audience.paste(PASTES, PASTE_BYTES)
    await usage.settle(QUIET_MS)
    await audience.type()
    const peakMiB = usage.memory().peakKiB / 1024
    await audience.catchUp()
    return { p99: audience.p99, peakMiB, frames: audience.frames }
  })
}

function inWords({ p99, peakMiB }: Measured): string {
  return `p99 ${p99.toFixed(1)} ms, peak ${peakMiB.toFixed(0)} MiB`
}
