import type { HttpSocketContext } from './http-socket.ts'
import type { OpenSocket } from './socket.ts'

/** Servers that answer plain requests while no WebSocket to them comes about; for the whole page. */
const blocked = new Set<string>()

export interface TransportsContext extends HttpSocketContext {
  /** Whether HTTP may be used at all. */
  readonly mayFallBack: boolean
}

/**
 * Decides by what the next connection is made: by a WebSocket, unless two in a row were closed before they had brought
 * anything, and the server has answered a plain request in between. One that is simply down answers nothing.
 */
export class Transports {
  readonly #context: TransportsContext
  /** Whether the server has answered since a WebSocket has failed. */
  #hasAnswered = false
  /** Whether the last WebSocket has brought something: an answer that comes later than that says nothing of it. */
  #hasPassed = false
  /** Whether the last connection was tried by HTTP. */
  #isHttp = false

  constructor(context: TransportsContext) {
    this.#context = context
  }

  /** What opens the next connection; a promise only where something has to be loaded. */
  next(): OpenSocket | Promise<OpenSocket> {
    const { server, webSocket, mayFallBack } = this.#context
    this.#hasPassed = false
    this.#isHttp = mayFallBack && blocked.has(server)
    return this.#isHttp ? this.#load() : webSocket
  }

  /** A WebSocket has brought something. */
  passed(): void {
    this.#hasAnswered = false
    this.#hasPassed = true
    blocked.delete(this.#context.server)
  }

  /** A connection was closed before it had brought anything. Tells whether the next one goes by HTTP from now on. */
  failed(): boolean {
    const isBlocked = this.#hasAnswered
    this.#hasAnswered = false
    if (this.#isHttp) blocked.delete(this.#context.server)
    else if (isBlocked) blocked.add(this.#context.server)
    else void this.ask()
    return isBlocked
  }

  /** Resolves with whether the next failure of a WebSocket decides against it. */
  async ask(): Promise<boolean> {
    const { api, credentials, mayFallBack } = this.#context
    try {
      if (!mayFallBack || this.#isHttp) return false
      const { status } = await fetch(`${api}/events`, { method: 'HEAD', credentials })
      this.#hasAnswered = status < 500 && !this.#hasPassed
    } catch {
      // It is down as well, or not for pages of this origin.
    }
    return this.#hasAnswered
  }

  async #load(): Promise<OpenSocket> {
    try {
      const { httpSocket } = await import('./http-socket.ts')
      return httpSocket(this.#context)
    } catch {
      // What is not there today may be there tomorrow.
      this.passed()
      return this.#context.webSocket
    }
  }
}
