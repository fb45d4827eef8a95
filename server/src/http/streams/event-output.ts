import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Cancel, Clock } from '../../common/timing.ts'
import type { Line } from '../admission.ts'
import type { Connections } from '../connections.ts'
import { cutLater } from '../cut.ts'

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

/** What the body of an answer is written to. */
interface Body {
  readonly writableNeedDrain: boolean
  write(bytes: Uint8Array): unknown
  end(): unknown
  on(event: 'drain', listener: () => void): unknown
}

export interface EventOutputContext {
  readonly clock: Clock
  readonly keepAliveMs: number
  readonly connections: Connections
}

/**
 * An answer that events are written to as they are shared, without a stream of its own around it. It comes in chunks, by
 * which a reader tells the end from a line that was cut. For those who are let in it is the line that they came by.
 */
export class EventOutput implements Line {
  readonly #context: EventOutputContext
  readonly #socket: Socket
  /** Until the body begins. */
  #answer: ServerResponse | undefined
  #body: Body
  readonly #onClose: (() => void)[] = []
  #hasClosed: boolean
  #hasEnded = false
  #writtenAt: number
  #cancelKeepAlive: Cancel = () => undefined

  constructor(answer: ServerResponse, context: EventOutputContext) {
    this.#context = context
    this.#socket = answer.req.socket
    this.#answer = answer
    this.#body = answer
    this.#writtenAt = context.clock.now()
    this.#hasClosed = answer.destroyed
    answer.once('close', this.#closed)
  }

  /** Whether what is written now would wait in memory. */
  get isFull(): boolean {
    return this.#body.writableNeedDrain
  }

  get destroyed(): boolean {
    return this.#hasClosed
  }

  once(_event: 'close', listener: () => void): void {
    this.#onClose.push(listener)
  }

  /** @param onDrain called each time that it is no longer full */
  open(headers: Headers, onDrain: () => void): void {
    const answer = this.#answer
    if (!answer) throw new Error('the answer was begun before')
    for (const [name, value] of headers) answer.setHeader(name, value)
    this.#answer = undefined
    this.#body = this.begin(answer, HEADERS)
    this.#body.on('drain', onDrain)
    this.#keepAlive()
  }

  /** @param _what what the reader has with it */
  write(bytes: Uint8Array, _what: Written = 'news'): void {
    if (this.#hasEnded) return
    this.#body.write(bytes)
    this.#writtenAt = this.#context.clock.now()
  }

  end(): void {
    this.#cancelKeepAlive()
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#body.end()
  }

  /** Cuts a reader who does not take the end. */
  cutLater(): void {
    cutLater(this, this.#socket, this.#context.clock)
  }

  protected get clock(): Clock {
    return this.#context.clock
  }

  /** Writes the head. Returns what the body is written to. */
  protected begin(answer: ServerResponse, headers: OutgoingHttpHeaders): Body {
    answer.off('close', this.#closed)
    const taken = this.#context.connections.take(answer, headers)
    const closing = taken?.socket ?? answer
    closing.once('close', this.#closed)
    return taken ?? beginAnswer(answer, headers)
  }

  /** Nothing has been written for long. */
  protected silent(): void {
    this.write(KEEP_ALIVE, 'nothing')
  }

  readonly #closed = (): void => {
    this.#hasClosed = true
    this.#hasEnded = true
    this.#cancelKeepAlive()
    for (const listener of this.#onClose) listener()
  }

  /** One timer however often something is written. */
  #keepAlive(): void {
    const { clock, keepAliveMs } = this.#context
    const leftMs = this.#writtenAt + keepAliveMs - clock.now()
    this.#cancelKeepAlive = clock.after(Math.max(1, leftMs), () => {
      if (clock.now() - this.#writtenAt >= keepAliveMs && !this.isFull) this.silent()
      this.#keepAlive()
    })
  }
}

/** Writes the head of an answer that Node goes on with. */
export function beginAnswer(answer: ServerResponse, headers: OutgoingHttpHeaders): ServerResponse {
  answer.writeHead(200, headers)
  answer.flushHeaders()
  return answer
}
