import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { CoeditError } from '../common/errors.ts'
import type { Clock } from '../common/timing.ts'
import { type LookUp, Reach } from './reach.ts'

/** Bytes of an answer that are read; nobody looks at them. */
const MAX_ANSWER_BYTES = 64 * 1024

export interface SenderContext {
  readonly config: { readonly webhookAddresses: string; readonly webhookTimeoutMs: number }
  readonly clock: Clock
  /** Default: that of the system. */
  readonly lookUp?: LookUp
}

export interface Outgoing {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Answer {
  readonly status: number
  /** For how long the receiver asks to be left alone (RFC 9110 §10.2.3); 0 where it does not. */
  readonly retryAfterMs: number
}

/** Posts messages to receivers that nobody vouches for: no redirect is followed, and none is waited for longer than its time. */
export class Sender {
  readonly #context: SenderContext
  readonly #reach: Reach
  readonly #underWay = new Set<() => void>()

  constructor(context: SenderContext) {
    this.#context = context
    this.#reach = new Reach(context.config.webhookAddresses, context.lookUp)
  }

  /** @throws CoeditError WEBHOOK_ADDRESS where the URL says that it leads to where webhooks may not lead */
  check(url: string): void {
    this.#reach.check(new URL(url))
  }

  /**
   * Resolves with the answer, whose body nobody reads. Rejects with WEBHOOK_ADDRESS, SERVER_CLOSED, and with what goes wrong with the connection.
   */
  send({ url, headers, body }: Outgoing): Promise<Answer> {
    const { clock, config } = this.#context
    const target = new URL(url)
    return new Promise((resolve, reject) => {
      this.#reach.check(target)
      const request = (target.protocol === 'https:' ? tlsRequest : plainRequest)(target, {
        method: 'POST',
        // Each connection is one of its own: its address is looked at, and none breaks while it lies idle.
        agent: false,
        lookup: this.#reach.lookup(target),
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      })
      const giveUp = () => request.destroy(new CoeditError('SERVER_CLOSED', 'the server closes'))
      const tooLong = () => request.destroy(new Error(`no answer within ${config.webhookTimeoutMs} ms`))
      const cancel = clock.after(config.webhookTimeoutMs, tooLong)
      this.#underWay.add(giveUp)
      request.on('error', reject)
      request.on('close', () => {
        cancel()
        this.#underWay.delete(giveUp)
        // Node tells of no error where a receiver switches protocols. Behind an answer this changes nothing.
        reject(new Error('the connection ended without an answer'))
      })
      request.on('response', (response) => {
        let bytes = 0
        response.on('data', (chunk: Uint8Array) => {
          bytes += chunk.length
          if (bytes > MAX_ANSWER_BYTES) request.destroy()
        })
        // What breaks behind the status is no affair of anybody.
        response.on('error', () => undefined)
        const retryAfterMs = pauseIn(response.headers['retry-after'], clock.now())
        resolve({ status: response.statusCode ?? 0, retryAfterMs })
      })
      request.end(body)
    })
  }

  /** Gives up what is under way. */
  close(): void {
    for (const giveUp of this.#underWay) giveUp()
  }
}

/** What a header `Retry-After` says: seconds, or a date. */
function pauseIn(header: string | undefined, now: number): number {
  if (header === undefined) return 0
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return ms > 0 ? ms : 0
}
