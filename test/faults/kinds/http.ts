import { endureCrashes, killable } from '../crashes.ts'
import type { Fault } from '../fault.ts'
import { Services } from '../services.ts'

export const http: Fault = {
  name: 'http',
  what: 'kill -9 at any moment while services write by HTTP: nothing that was answered is lost or undone, and nothing is done twice',
  amount: { unit: 'times', onDemand: 200, inTests: 10 },
  run: async (trial) => endureCrashes(await killable(trial.release), trial, (options) => new Services(options)),
}
