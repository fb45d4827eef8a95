import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FragileDisk } from '../../support/disk.ts'
import { startServer } from '../../support/process.ts'
import { inScope } from '../../support/scope.ts'
import type { Release } from '../../support/temporary.ts'
import { COMPACTING } from '../circles.ts'
import { endureCrashes } from '../crashes.ts'
import { CannotInject, type Fault, type Finding, type Trial } from '../fault.ts'

const UNSYNCED = fileURLToPath(new URL('../unsynced.mjs', import.meta.url))
/** Enough: without syncing, hardly a cut goes by without a loss. */
const CUTS_OF_CONTROL = 20

export const power: Fault = {
  name: 'power',
  what: 'the power of an ext4 disk is cut: nothing acknowledged or shown is lost, but without syncing it is',
  amount: { unit: 'times', onDemand: 100, inTests: 5 },
  run: async (trial) => {
    const real = await inScope((release) => cutOften({ ...trial, release }))
    const control = await inScope((release) =>
      cutOften({ ...trial, release, amount: CUTS_OF_CONTROL }, { NODE_OPTIONS: `--import=${UNSYNCED}` }),
    )
    const isBlind = control.broken.length === 0
    return {
      ...real,
      broken: isBlind ? [...real.broken, 'the control lost nothing: these cuts prove nothing'] : real.broken,
      measured: `control with sync: false, cut ${control.injected}: ${control.broken[0]}`,
    }
  },
}

async function cutOften(trial: Trial, env: NodeJS.ProcessEnv = {}): Promise<Finding> {
  const { release } = trial
  const disk = await mount(release)
  const data = join(disk.directory, 'data')
  return endureCrashes(
    {
      start: async () => {
        const server = await startServer({ release, data, flags: COMPACTING, env })
        // The control is to lose what was promised, and not a database that is half made.
        await disk.sync()
        return server
      },
      crash: async (server) => {
        // Nothing runs without power, but here it would: ext4 tells who waits in fdatasync at this moment that all is well
        // (its data is written, and that it belongs to the file is not), and the server would promise it 30 ms later.
        process.kill(server.pid, 'SIGSTOP')
        await disk.cutPower()
        await server.kill()
        await disk.restorePower()
      },
    },
    trial,
  )
}

async function mount(release: Release): Promise<FragileDisk> {
  try {
    return await FragileDisk.mount(release)
  } catch (cause) {
    throw new CannotInject('needs root, loop devices, mkfs.ext4 and perl', { cause })
  }
}
