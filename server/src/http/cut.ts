import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Clock } from '../common/timing.ts'

/** How long somebody whose access has ended may still take what was sent before. */
const GRACE_MS = 2_000

/** An answer, or a WebSocket. */
interface Closing {
  once(event: 'close', listener: () => void): unknown
}

/**
 * Cuts who does not take the end of an answer or a WebSocket: it would hold the socket, and bring what was sent before,
 * for as long as its reader likes.
 * @param delayMs when it is to be ended
 */
export function cutLater(closing: Closing, socket: Duplex, clock: Clock, delayMs = 0): void {
  closing.once(
    'close',
    clock.after(delayMs + GRACE_MS, () => reset(socket)),
  )
}

/** Sends `lastWords` and hangs up, whether the peer does or not: Node lets go of the sockets of upgrades. */
export function hangUp(socket: Duplex, lastWords: string, clock: Clock): void {
  socket.end(lastWords, () => socket.destroy())
  cutLater(socket, socket, clock)
}

/** Resets the connection, so that the system forgets what it has not delivered. Neither TLS nor pipes can do that. */
function reset(socket: Duplex): void {
  const isPlainTcp = socket instanceof Socket && socket.remoteFamily !== undefined && !(socket instanceof TLSSocket)
  if (isPlainTcp) socket.resetAndDestroy()
  else socket.destroy()
}
