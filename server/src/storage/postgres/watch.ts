import type { Socket } from 'node:net'
import type { Cancel, Clock } from '../../common/timing.ts'

/** Milliseconds without an answer after which another connection asks whether the database works on the statement. */
const DOUBT_MS = 1_200
/** How long it is not asked again at most, in milliseconds. A database that has much to do is asked less and less often. */
const LONGEST_DOUBT_MS = 4_800
/** A statement of more bytes may be under way for longer than that. */
const MAX_DOUBTED_BYTES = 64 * 1024

/** Resolves with whether the database works on a statement that begins with this. Rejects where it does not say. */
export type IsAtWork = (mark: string) => Promise<boolean>

export interface WatchOptions {
  /** Of the connection; nothing of the statement was written to it yet. */
  readonly socket: Socket
  readonly clock: Clock
  /** What the statement begins with. */
  readonly mark: string
  /** Milliseconds without a sign of life after which the connection is given up. */
  readonly silenceMs: number
  /** Without it silence alone tells. */
  readonly isAtWork: IsAtWork | undefined
}

/**
 * Cuts the connection when the database turns out not to work on a statement that it has not answered: it has not received
 * it, or its answer is lost. So a line that is dead is told from a database that is slow, long before the silence says
 * anything; and one that waits for its standby is left alone, as each further attempt would take a connection of its own.
 */
export function watchAnswer({ socket, clock, mark, silenceMs, isAtWork }: WatchOptions): Cancel {
  const { bytesWritten } = socket
  const cancels: Cancel[] = []
  let isOver = false
  let confirmations = 0
  const signs = () => socket.bytesRead + confirmations
  /** Calls `look` each time that no sign came for so long: first for `firstMs`, then for twice that, and so on. */
  const each = (firstMs: number, longestMs: number, look: () => void | Promise<void>) => {
    const index = cancels.length
    const later = (ms: number) => {
      const before = signs()
      cancels[index] = clock.after(ms, async () => {
        if (signs() === before) await look()
        if (!isOver) later(Math.min(2 * ms, longestMs))
      })
    }
    later(firstMs)
  }
  const giveUp = (reason: string) => void socket.destroy(new Error(reason))

  each(silenceMs, silenceMs, () => giveUp(`the database has not answered for ${silenceMs} ms`))
  if (isAtWork)
    each(DOUBT_MS, LONGEST_DOUBT_MS, async () => {
      if (socket.bytesWritten - bytesWritten > MAX_DOUBTED_BYTES) return
      const before = signs()
      // Where nobody can say, the silence decides.
      const answer = await isAtWork(mark).catch(() => undefined)
      if (isOver || signs() !== before) return
      if (answer === true) confirmations++
      else if (answer === false) giveUp('the database does not know of a statement that it was sent')
    })
  return () => {
    isOver = true
    for (const cancel of cancels) cancel()
  }
}
