import type { IncomingMessage } from 'node:http'
import type { CoeditError, ErrorCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import { type Meters, NO_METERS } from '../common/meters.ts'
import type { Clock } from '../common/timing.ts'
import { requestId } from './request-id.ts'

/** How often each kind of refusal is told to those who do not read everything. */
const TOLD_EVERY_MS = 60_000

/**
 * Tells the log why requests are refused. Of WebSockets, where browsers do not tell it to pages, and a proxy that is set
 * up wrong has everybody refused, one of each kind is a warning every minute: strangers must not fill the log. All else
 * is for `debug`.
 */
export class Refusals {
  readonly #clock: Clock
  readonly #log: Log
  readonly #meters: Meters
  readonly #toldAt = new Map<ErrorCode, number>()

  constructor(clock: Clock, log: Log, meters = NO_METERS) {
    this.#clock = clock
    this.#log = log
    this.#meters = meters
  }

  tell({ code, message: reason }: CoeditError, request: IncomingMessage): void {
    const { method, url = '', headers, socket } = request
    this.#meters.refused(code)
    const { host, origin } = headers
    // The query may hold a token.
    const [path] = url.split('?', 1)
    const isNews = headers['sec-websocket-key'] !== undefined && this.#isDue(code)
    const id = requestId(request)
    const facts = { code, reason, request: id, method, path, host, origin, address: socket.remoteAddress }
    this.#log[isNews ? 'warn' : 'debug'](facts, 'refused a request')
  }

  /** The same of one that was let in, but has come to a wrong address. */
  tellMistaken({ code, message: reason }: CoeditError): void {
    this.#log[this.#isDue(code) ? 'warn' : 'debug']({ code, reason }, 'a client came to a wrong address')
  }

  #isDue(code: ErrorCode): boolean {
    const now = this.#clock.now()
    const toldAt = this.#toldAt.get(code)
    if (toldAt !== undefined && now - toldAt < TOLD_EVERY_MS) return false
    this.#toldAt.set(code, now)
    return true
  }
}
