import { startServer } from '../../support/process.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { COMPACTING } from '../circles.ts'
import { endureCrashes } from '../crashes.ts'
import type { Fault } from '../fault.ts'
import { Services } from '../services.ts'

export const http: Fault = {
  name: 'http',
  what: 'kill -9 at any moment while services write by HTTP: nothing that was answered is lost or undone, and nothing is done twice',
  amount: { unit: 'times', onDemand: 200, inTests: 10 },
  run: async (trial) => {
    const { release } = trial
    const data = await temporaryDirectory(release)
    return endureCrashes(
      {
        start: () => startServer({ release, data, flags: COMPACTING }),
        crash: async (server) => void (await server.kill()),
      },
      trial,
      (options) => new Services(options),
    )
  },
}
