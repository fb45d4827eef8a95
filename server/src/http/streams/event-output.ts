import type { ServerResponse } from 'node:http'
import type { Cancel, Clock } from '../../common/timing.ts'

const KEEP_ALIVE = Buffer.from(': still here\n\n')

const HEADERS = {
  'content-type': 'text/event-stream',
  // Who compresses it gathers it first.
  'cache-control': 'no-cache, no-transform',
  vary: 'Origin',
  // nginx, and others that have taken this over, gather answers otherwise.
  'x-accel-buffering': 'no',
}

/** Something that is whole, a part of what is whole with what follows, or nothing that is worth an answer. */
export type Written = 'news' | 'part' | 'nothing'

/**
 * An answer that events are written to as they are shared, without a stream of its own around it. It comes in chunks, by
 * which a reader tells the end from a line that was cut, and may go on with the line.
 */
export class EventOutput {
  readonly #answer: ServerResponse
  readonly #clock: Clock
  readonly #keepAliveMs: number
  #writtenAt: number
  #cancelKeepAlive: Cancel = () => undefined

  constructor(answer: ServerResponse, clock: Clock, keepAliveMs: number) {
    this.#answer = answer
    this.#clock = clock
    this.#keepAliveMs = keepAliveMs
    this.#writtenAt = clock.now()
  }

  /** Whether what is written now would wait in memory. */
  get isFull(): boolean {
    return this.#answer.writableNeedDrain
  }

  get hasEnded(): boolean {
    return this.#answer.writableEnded || this.#answer.destroyed
  }

  /** @param onDrain called each time that it is no longer full */
  open(headers: Headers, onDrain: () => void): void {
    const answer = this.#answer
    for (const [name, value] of headers) answer.setHeader(name, value)
    answer.writeHead(200, HEADERS)
    answer.flushHeaders()
    answer.on('drain', onDrain)
    answer.once('close', () => this.#cancelKeepAlive())
    this.#keepAlive()
  }

  /** @param _what what the reader has with it */
  write(bytes: Uint8Array, _what: Written = 'news'): void {
    if (this.hasEnded) return
    this.#answer.write(bytes)
    this.#writtenAt = this.#clock.now()
  }

  end(): void {
    this.#cancelKeepAlive()
    if (!this.hasEnded) this.#answer.end()
  }

  /** Nothing has been written for long. */
  protected silent(): void {
    this.write(KEEP_ALIVE, 'nothing')
  }

  /** One timer however often something is written. */
  #keepAlive(): void {
    const leftMs = this.#writtenAt + this.#keepAliveMs - this.#clock.now()
    this.#cancelKeepAlive = this.#clock.after(Math.max(1, leftMs), () => {
      if (this.#clock.now() - this.#writtenAt >= this.#keepAliveMs && !this.isFull) this.silent()
      this.#keepAlive()
    })
  }
}
