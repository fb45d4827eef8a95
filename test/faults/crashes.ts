import { setTimeout as pause } from 'node:timers/promises'
import { type ServerProcess, startServer } from '../support/process.ts'
import { startProxy } from '../support/proxy.ts'
import type { Random } from '../support/random.ts'
import { type Release, temporaryDirectory } from '../support/temporary.ts'
import { Circles, COMPACTING } from './circles.ts'
import type { Finding, Trial } from './fault.ts'

/** A server that crashes. */
export interface Mortal {
  /** Starts a server on what the last one left. */
  start(): Promise<ServerProcess>
  /** Ends it without a warning, and brings back what went down with it. */
  crash(server: ServerProcess): Promise<void>
}

/** A server on a directory that is ended by kill -9, while it compacts all the time. */
export async function killable(release: Release): Promise<Mortal> {
  const data = await temporaryDirectory(release)
  return {
    start: () => startServer({ release, data, flags: COMPACTING }),
    crash: async (server) => void (await server.kill()),
  }
}

export interface CrowdOptions {
  /** Where the clean-up goes: nobody writes any more. */
  readonly release: Release
  readonly url: string
  readonly random: Random
}

/** Those who write while the server crashes, and what they were promised. */
export interface Crowd {
  readonly promised: number
  /** Resolves when all of them write. */
  start(): Promise<void>
  /** Resolves when some more was promised. */
  goOn(): Promise<void>
  /** What of the promises is not kept at a server, in words. */
  brokenAt(url: string): Promise<string[]>
  /** Ends the writing; resolves when nothing is open any more. */
  converge(): Promise<void>
  /** In what a server differs from what they have, in words. */
  differencesAt(url: string): Promise<string[]>
}

const LONGEST_PAUSE_MS = 10

/**
 * Crashes the server at random moments while a crowd writes, `trial.amount` times or until a promise is broken, and looks
 * each time whether what it has kept is what it promised.
 *
 * @param gather default: people who type
 */
export async function endureCrashes(
  { start, crash }: Mortal,
  trial: Trial,
  gather: (options: CrowdOptions) => Crowd = (options) => new Circles(options),
): Promise<Finding> {
  const { release, random, amount } = trial
  let server = await start()
  const proxy = await startProxy({ release, target: server.url })
  const crowd = gather({ release, url: proxy.url, random })
  await crowd.start()

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
    await crowd.goOn()
    await pause(random.below(LONGEST_PAUSE_MS))
    const broken = await crashAndLook((url) => crowd.brokenAt(url))
    if (broken.length > 0) return { injected, promised: crowd.promised, broken }
    trial.say(`${injected} crashes, ${crowd.promised} promises`)
  }
  await crowd.converge()
  // They see each other's last edits, so these are durable.
  const broken = await crashAndLook((url) => crowd.differencesAt(url))
  return { injected: amount, promised: crowd.promised, broken }
}
