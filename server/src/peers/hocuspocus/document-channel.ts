import type { Clock } from '../../common/timing.ts'
import type { Channel, ChannelUser } from '../channel.ts'
import type { Close } from '../close-codes.ts'
import type { FrameWriter } from '../frame-writer.ts'
import type { Socket } from '../socket.ts'
import type { Throttle } from '../throttle.ts'

/** What becomes of a channel is decided by the part of the socket that it belongs to. */
export interface ChannelOwner {
  /** Before anything else is written for the document, and when the peer may do something else. */
  greet(access: 'read' | 'write'): void
  /** The session takes messages. */
  ready(): void
  /** The whole socket has to end. */
  close(close: Close): void
  /** The document cannot be served, or its peer did what nobody should. */
  refuse(close: Close): void
}

/** One document's part of a socket, for one session: it ends without the socket, and the socket's end is its own. */
export class DocumentChannel implements Channel {
  readonly #socket: Socket
  readonly #owner: ChannelOwner
  #user: ChannelUser | undefined
  #work: Promise<void> | undefined
  #whenClosed: (() => void)[] = []
  #isGreeted = false
  #hasLeft = false
  /** Whether nothing more is received. */
  #isEmpty = false

  constructor(socket: Socket, owner: ChannelOwner) {
    this.#socket = socket
    this.#owner = owner
  }

  get throttle(): Throttle {
    return this.#socket.throttle
  }

  get writer(): FrameWriter {
    return this.#socket.writer
  }

  get hasLeft(): boolean {
    return this.#hasLeft
  }

  /** The same, for those who hold something for as long as the channel lives. */
  get destroyed(): boolean {
    return this.#hasLeft
  }

  get lastHeardAt(): number {
    return this.#socket.lastHeardAt
  }

  start(user: ChannelUser, ready: Promise<void>): void {
    this.#user = user
    void this.#during(
      ready.then(() => {
        if (this.#isGreeted && !this.#hasLeft) this.#owner.ready()
      }),
    )
  }

  greet(access: 'read' | 'write'): void {
    this.#isGreeted = true
    this.#owner.greet(access)
  }

  /** Hands a message to the session, also after it has left. */
  receive(message: Uint8Array): Promise<void> | undefined {
    const work = this.#user?.receive(message)
    return work && this.#during(work)
  }

  offer(frame: Buffer | undefined): void {
    if (!this.#hasLeft) this.#socket.offer(frame)
  }

  isAlive(): Promise<boolean> {
    return this.#hasLeft ? Promise.resolve(false) : this.#socket.isAlive()
  }

  /** The socket is kept alive once for all of its documents. */
  tick(): void {}

  updateFlow(): void {
    this.#socket.updateFlow()
  }

  close(close: Close): void {
    this.#owner.close(close)
  }

  refuse(close: Close): void {
    if (!this.#hasLeft) this.#owner.refuse(close)
  }

  /** Takes no more part; what the peer sent before may still be received. */
  leave(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    this.#user?.left()
    for (const closed of this.#whenClosed.splice(0)) closed()
  }

  /** The same, and nothing more is received. */
  end(): void {
    this.leave()
    if (this.#isEmpty) return
    this.#isEmpty = true
    if (!this.#work) this.#user?.emptied()
  }

  later(clock: Clock, delayMs: number, action: () => void): void {
    this.once('close', clock.after(delayMs, action))
  }

  once(_event: 'close', listener: () => void): void {
    this.#whenClosed.push(listener)
  }

  #during(work: Promise<void>): Promise<void> {
    this.#work = work.then(() => {
      this.#work = undefined
      if (this.#isEmpty) this.#user?.emptied()
    })
    return this.#work
  }
}
