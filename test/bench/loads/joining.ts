import { ClientGroup } from '../clients/client-group.ts'
import { Joiners } from '../clients/joiners.ts'
import { Latencies } from '../clients/latencies.ts'
import { verifyJoined } from '../content/verify-joined.ts'
import { type CpuSpent, watchCpu } from './cpu-watch.ts'
import type { Subject } from './load.ts'

const QUIET_MS = 500

/** A document that several people open. */
export interface Opening {
  readonly document: string
  readonly text: string
  readonly encodedBytes: number
  readonly joiners: number
}

export interface JoiningResult {
  /** Of the server, for all of them. */
  readonly cpuMs: number
  readonly latencies: Latencies
  /** Until everybody had everything. */
  readonly spent: CpuSpent
}

/** Everybody joins at once; rejects unless each of them gets the text. They leave again. */
export async function joinAtOnce({ server, usage }: Subject, opening: Opening): Promise<JoiningResult> {
  const group = new ClientGroup(server)
  const joiners = new Joiners(group, opening.document, opening.encodedBytes / 2)
  await usage.settle(QUIET_MS)
  const watch = watchCpu(usage)
  const joined = await Promise.all(Array.from({ length: opening.joiners }, () => joiners.join()))
  const spent = watch()
  await usage.settle(QUIET_MS)
  const cpuMs = watch().serverMs
  await group.close()

  verifyJoined(joined, opening.text)
  const latencies = new Latencies()
  for (const { ms } of joined) latencies.add(ms)
  return { cpuMs, latencies, spent }
}
