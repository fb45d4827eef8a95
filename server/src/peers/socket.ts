import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { RawData, WebSocket } from 'ws'
import type { Meters } from '../common/meters.ts'
import type { Clock } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type { Channel, ChannelUser } from './channel.ts'
import { CLOSE, type Close } from './close-codes.ts'
import { FrameWriter } from './frame-writer.ts'
import { Heartbeat } from './heartbeat.ts'
import { Throttle } from './throttle.ts'

/** Bytes that a ping counts for: ws answers it, which takes some 10 µs, as receiving so many does. */
const PING_BYTES = 1024

/**
 * A WebSocket as its user sees it, and all that knows of `ws`: whole frames out, as far as the buffer takes them, and messages
 * in, one in a turn of the event loop and no faster than the limits of a connection allow. Frames go to the socket below
 * the WebSocket, so that many sockets share their bytes.
 */
export class Socket implements Channel {
  readonly throttle: Throttle
  readonly writer: FrameWriter
  readonly #webSocket: WebSocket
  readonly #config: Config
  readonly #heartbeat: Heartbeat
  /** Messages that came while an earlier one was still being worked on. */
  readonly #inbox: Uint8Array[] = []
  #user: ChannelUser | undefined
  #isBusy = true
  #hasLeft = false

  constructor(webSocket: WebSocket, below: Duplex, config: Config, clock: Clock, meters?: Meters) {
    this.#webSocket = webSocket
    this.#config = config
    this.#heartbeat = new Heartbeat(webSocket, clock, config.pingIntervalMs)
    this.throttle = new Throttle(config, clock, meters)
    this.writer = new FrameWriter(below, config.socketBufferBytes, clock, () => this.#drained())
  }

  get hasLeft(): boolean {
    return this.#hasLeft
  }

  get lastHeardAt(): number {
    return this.#heartbeat.lastHeardAt
  }

  start(user: ChannelUser, ready: Promise<void>): void {
    const webSocket = this.#webSocket
    this.#user = user
    webSocket.on('message', (data, isBinary) => this.#received(data, isBinary))
    webSocket.on('pong', () => this.#heartbeat.heard())
    webSocket.on('ping', () => this.#pinged())
    webSocket.on('close', () => this.leave())
    this.#waitFor(ready)
  }

  /** Says nothing: what the peer may not do it is told by its dialect. */
  greet(): void {}

  offer(frame: Buffer | undefined): void {
    if (frame && this.writer.isWritable) this.writer.write(frame)
  }

  isAlive(): Promise<boolean> {
    return this.#hasLeft ? Promise.resolve(false) : this.#heartbeat.challenge()
  }

  tick(now: number, keepAlive: Buffer | undefined): void {
    if (this.#hasLeft) return
    const { keepAliveMs, stallTimeoutMs } = this.#config
    const { blockedSince, lastWriteAt, isWritable } = this.writer
    // The peer may come back and get everything in one update.
    if (blockedSince !== undefined && now - blockedSince >= stallTimeoutMs) {
      this.close(CLOSE.stalled)
      return
    }
    // A ping would stand behind all that is unsent, and its answer come later than a slow peer deserves to be cut.
    if (!isWritable) return
    if (keepAlive && now - lastWriteAt >= keepAliveMs) this.writer.write(keepAlive)
    this.#heartbeat.tick(now)
  }

  updateFlow(): void {
    if (this.#hasLeft) return
    const mustWait = this.#isBusy || this.#user?.isCongested === true
    if (mustWait === this.#webSocket.isPaused) return
    if (mustWait) this.#webSocket.pause()
    else this.#webSocket.resume()
  }

  close({ code, reason }: Close): void {
    if (this.#hasLeft) return
    this.leave()
    this.#webSocket.close(code, reason)
    // The peer's own close frame is still to be read.
    this.#webSocket.resume()
  }

  refuse(close: Close): void {
    this.#inbox.length = 0
    this.close(close)
  }

  /** Writes and reads no more. What the peer sent before is still received, if that is not done yet. */
  leave(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    this.writer.close()
    this.throttle.lift()
    this.#user?.left()
    if (!this.#isBusy) this.#user?.emptied()
  }

  later(clock: Clock, delayMs: number, action: () => void): void {
    this.#webSocket.on('close', clock.after(delayMs, action))
  }

  #received(data: RawData, isBinary: boolean): void {
    if (this.#hasLeft) return
    this.#heartbeat.heard()
    if (!isBinary || !(data instanceof Uint8Array)) {
      this.close(CLOSE.textFrame)
      return
    }
    this.throttle.received(data.length)
    if (this.#isBusy) this.#inbox.push(data)
    else this.#handle(data)
  }

  #handle(message: Uint8Array): void {
    this.#waitFor(this.throttle.measure(() => this.#user?.receive(message)) ?? this.throttle.pause())
  }

  #pinged(): void {
    this.throttle.received(PING_BYTES)
    if (!this.#isBusy) this.#waitFor(this.throttle.pause())
  }

  #waitFor(work: Promise<unknown> | undefined): void {
    this.#isBusy = work !== undefined
    this.updateFlow()
    void work?.then(() => this.#workOff())
  }

  /** Handles what has come in the meantime, in order, a message in a turn of the event loop. */
  #workOff(): void {
    this.#isBusy = false
    const next = this.#inbox.shift()
    if (next) this.#handle(next)
    if (this.#isBusy) return
    if (this.#inbox.length > 0) this.#waitFor(nextTurn())
    else if (this.#hasLeft) this.#user?.emptied()
    else this.updateFlow()
  }

  #drained(): void {
    this.#heartbeat.heard()
    this.#user?.drained()
  }
}
