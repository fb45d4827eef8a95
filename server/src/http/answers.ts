import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Browsers and proxies wait for one answer at a time. Their next request may come before it is known here that the last
 * answer is sent, and some programs ask for a few things at once.
 */
const MAX_PER_CONNECTION = 4

/**
 * Bounds what those cost who ask and do not read: Node takes in a thousand requests at once, makes all answers, and keeps
 * them until they are read. 200 connections took 1.7 GB so (measured).
 */
export class Answers {
  readonly #stallTimeoutMs: number
  readonly #underWay = new WeakMap<Socket, number>()

  /** @param stallTimeoutMs how long a client may take nothing of an answer; then it is cut */
  constructor(stallTimeoutMs: number) {
    this.#stallTimeoutMs = stallTimeoutMs
  }

  /** Whether to answer a request. Where there are too many on a connection, it is cut. */
  admit({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const underWay = this.#underWay.get(socket) ?? 0
    if (underWay >= MAX_PER_CONNECTION) {
      socket.destroy()
      return false
    }
    this.#underWay.set(socket, underWay + 1)
    response.once('close', () => this.#closed(socket))
    response.setTimeout(this.#stallTimeoutMs, () => {
      // An event stream in which nothing happens is as silent as one that nobody reads.
      if (socket.writableLength > 0) socket.destroy()
    })
    return true
  }

  #closed(socket: Socket): void {
    const underWay = this.#underWay.get(socket) ?? 0
    this.#underWay.set(socket, underWay - 1)
  }
}
