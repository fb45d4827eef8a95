import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Clock } from '../clock.ts'

/** How long somebody may still take what was sent before an answer was ended. */
const GRACE_MS = 2_000

/**
 * Cuts an answer that has been ended but is not taken: it would hold its socket, and bring what was sent, for as long as
 * its reader likes. Called before or after it is ended.
 */
export function cutLater(answer: ServerResponse, clock: Clock): void {
  const cancel = clock.after(GRACE_MS, () => {
    if (answer.socket) reset(answer.socket)
  })
  answer.once('close', cancel)
}

/** Where it is possible, a reset: the system, too, forgets what it has not delivered. Neither TLS nor pipes can. */
function reset(socket: Socket): void {
  const isPlainTcp = socket.remoteFamily !== undefined && !(socket instanceof TLSSocket)
  if (isPlainTcp) socket.resetAndDestroy()
  else socket.destroy()
}
