import { onTestFinished } from 'vitest'
import type { Clock, ServerOptions } from '../../server/src/index.ts'
import { startInProcess } from './in-process-server.ts'
import type { LogLine } from './log.ts'
import { presence } from './messages.ts'
import { connectRaw, type RawClient, type RawClientOptions } from './raw-client.ts'

const release = onTestFinished
const document = 'notes'

export interface Room {
  readonly url: string
  /** What the server has logged so far. */
  readonly lines: readonly LogLine[]
  /** Stops the server. */
  close(): Promise<void>
  /** A client that has heard the server's first word. */
  join(options?: Pick<RawClientOptions, 'protocols'>): Promise<RawClient>
  /** One that may only read, and hears nothing before somebody is here. */
  joinAsReader(): Promise<RawClient>
}

export async function openRoom({ clock, ...options }: ServerOptions & { clock?: Clock } = {}): Promise<Room> {
  const { url, lines, server } = await startInProcess({ release, options, ...(clock && { clock }) })
  return {
    url,
    lines,
    close: () => server.close(),
    join: async (more) => {
      const client = await connectRaw({ release, url, document, ...more })
      await client.message('step1')
      return client
    },
    joinAsReader: () => connectRaw({ release, url, document, query: '?access=read' }),
  }
}

export function announce(client: RawClient, clientId: number, clock: number, state: unknown): void {
  client.send(presence({ clientId, clock, state }))
}

/** Who a client has been told is here. */
export function seenBy(client: RawClient): Record<string, unknown> {
  const seen = new Map<number, unknown>()
  for (const { entries } of client.all('presence')) for (const { clientId, state } of entries) seen.set(clientId, state)
  return Object.fromEntries([...seen].filter(([, state]) => state !== null))
}

export function sees(client: RawClient, clientId: number, state: unknown): Promise<void> {
  const wanted = JSON.stringify(state)
  return client.until(`${clientId} is seen as ${wanted}`, () => JSON.stringify(seenBy(client)[clientId]) === wanted)
}

/** Resolves when all that was said before has reached the witness, shown or not. */
export async function settled(room: Room, witness: RawClient, ...speakers: readonly RawClient[]): Promise<void> {
  await Promise.all(speakers.map((speaker) => speaker.roundTrip()))
  const marker = await room.join()
  const clientId = 1_000_000 + witness.messages.length
  announce(marker, clientId, 1, 'marker')
  await sees(witness, clientId, 'marker')
  marker.cut()
  await witness.until('the marker is gone', () => !(clientId in seenBy(witness)))
}
