import { ClientGroup } from '../clients/client-group.ts'
import { join } from '../clients/join.ts'
import { Latencies } from '../clients/latencies.ts'
import { verifyJoined } from '../content/verify-joined.ts'
import type { Subject } from './load.ts'
import { ownCpu } from './own-cpu.ts'

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
  readonly ownCores: number
}

/** Everybody joins at once; rejects unless each of them gets the text. They leave again. */
export async function joinAtOnce({ server, usage }: Subject, opening: Opening): Promise<JoiningResult> {
  const group = new ClientGroup(server)
  await usage.settle(QUIET_MS)
  const cpuBefore = usage.cpuMs()
  const own = ownCpu()
  const joined = await Promise.all(
    Array.from({ length: opening.joiners }, () => join(group, opening.document, opening.encodedBytes / 2)),
  )
  const ownCores = own.cores()
  await usage.settle(QUIET_MS)
  const cpuMs = usage.cpuMs() - cpuBefore
  await group.close()

  verifyJoined(joined, opening.text)
  const latencies = new Latencies()
  for (const { ms } of joined) latencies.add(ms)
  return { cpuMs, latencies, ownCores }
}
