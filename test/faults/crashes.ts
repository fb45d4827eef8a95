import { setTimeout as pause } from 'node:timers/promises'
import type { ServerProcess } from '../support/process.ts'
import { startProxy } from '../support/proxy.ts'
import { Circles } from './circles.ts'
import type { Finding, Trial } from './fault.ts'

/** A server that crashes. */
export interface Mortal {
  /** Starts a server on what the last one left. */
  start(): Promise<ServerProcess>
  /** Ends it without a warning, and brings back what went down with it. */
  crash(server: ServerProcess): Promise<void>
}

const LONGEST_PAUSE_MS = 10

/**
 * Crashes the server at random moments while people type, `trial.amount` times or until a promise is broken, and looks
 * each time whether what it has kept is what it promised.
 */
export async function endureCrashes({ start, crash }: Mortal, trial: Trial): Promise<Finding> {
  const { release, random, amount } = trial
  let server = await start()
  const proxy = await startProxy({ release, target: server.url })
  const circles = new Circles({ release, url: proxy.url, random })
  await circles.start()

  const crashAndLook = async (look: (url: string) => Promise<string[]>): Promise<string[]> => {
    await crash(server)
    proxy.refuse()
    try {
      server = await start()
    } catch (error) {
      return [`it did not come back: ${error instanceof Error ? error.message : error}`]
    }
    // Before the others are let in again: they would bring back what the server has lost.
    const broken = await look(server.url)
    proxy.leadTo(server.url)
    return broken
  }

  for (let injected = 1; injected <= amount; injected++) {
    await circles.goOn()
    await pause(random.below(LONGEST_PAUSE_MS))
    const broken = await crashAndLook((url) => circles.brokenAt(url))
    if (broken.length > 0) return { injected, promised: circles.promised, broken }
    trial.say(`${injected} crashes, ${circles.promised} promises`)
  }
  await circles.converge()
  // They see each other's last edits, so these are durable.
  const broken = await crashAndLook((url) => circles.differencesAt(url))
  return { injected: amount, promised: circles.promised, broken }
}
