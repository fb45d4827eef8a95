import type { WebSocket } from 'ws'
import type { Clock } from '../clock.ts'

/** How long a peer may take to answer when somebody else claims what is its own. */
const CHALLENGE_MS = 2_000

/** Finds out by pings whether a peer is still there: half-open sockets say nothing by themselves. */
export class Heartbeat {
  readonly #webSocket: WebSocket
  readonly #clock: Clock
  readonly #intervalMs: number
  #lastPingAt: number
  #isAnswerDue = false

  constructor(webSocket: WebSocket, clock: Clock, intervalMs: number) {
    this.#webSocket = webSocket
    this.#clock = clock
    this.#intervalMs = intervalMs
    this.#lastPingAt = clock.now()
  }

  /** The peer sent something. */
  heard(): void {
    this.#isAnswerDue = false
  }

  /** Pings once an interval; cuts the peer that left the last ping unanswered, unless its answer is held up here. */
  tick(now: number): void {
    if (now - this.#lastPingAt < this.#intervalMs) return
    if (this.#isAnswerDue && !this.#webSocket.isPaused) {
      this.#webSocket.terminate()
      return
    }
    this.#isAnswerDue = true
    this.#lastPingAt = now
    this.#webSocket.ping()
  }

  /** Resolves whether the peer answers a ping in time. */
  challenge(): Promise<boolean> {
    return new Promise((resolve) => {
      const answered = () => {
        cancel()
        resolve(true)
      }
      const cancel = this.#clock.after(CHALLENGE_MS, () => {
        this.#webSocket.off('pong', answered)
        resolve(false)
      })
      this.#webSocket.once('pong', answered)
      this.#webSocket.ping()
    })
  }
}
