import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { RawData, WebSocket } from 'ws'
import type { Lease } from '../auth/lease.ts'
import { hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Clock } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type { Document } from '../document/document.ts'
import type { Documents } from '../document/documents.ts'
import type { Chunked } from '../document/piece.ts'
import type { Participant } from '../document/presence.ts'
import type { EndReason, Flush, Subscriber } from '../document/subscriber.ts'
import type { HookCalls } from '../hooks/calls.ts'
import { KEEP_ALIVE_FRAME } from '../protocol/wire/frames.ts'
import { type ClientMessage, decodeMessage } from '../protocol/wire/messages.ts'
import type { WorkerPool } from '../workers/pool.ts'
import { CLOSE, type Close, closeFor } from './close-codes.ts'
import { FrameWriter } from './frame-writer.ts'
import { Heartbeat } from './heartbeat.ts'
import { type Edits, Intake, isEdits } from './intake.ts'
import { Outlet } from './outlet.ts'
import { Throttle } from './throttle.ts'

export interface ConnectionContext {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly documents: Documents
  readonly workers: WorkerPool
  readonly hooks: HookCalls
}

/** What was agreed when the connection was opened. */
export interface ConnectionTerms {
  /** Says which document it is, and for how long the peer may have it. */
  readonly lease: Lease
  /** No more than the lease allows. */
  readonly access: 'read' | 'write'
  /** Whether the peer speaks `coedit.v1`, in which durable messages are acknowledged and tokens are renewed. */
  readonly acknowledges: boolean
  /** Whether a client that edits alone is sent its own edits, too. */
  readonly echo: boolean
}

/** What a ping counts for: ws answers it, which takes some 10 µs, as receiving so much does. */
const PING_BYTES = 1024

/** What a connection has once its document is loaded. */
interface Joined {
  readonly document: Document
  readonly intake: Intake
  readonly outlet: Outlet
  /** Tells the hooks that it is gone. */
  readonly goodbye: () => void
}

/** One WebSocket of a y-websocket client. */
export class Connection implements Subscriber, Participant {
  readonly user: string | undefined
  readonly #webSocket: WebSocket
  readonly #terms: ConnectionTerms
  readonly #context: ConnectionContext
  readonly #writer: FrameWriter
  readonly #heartbeat: Heartbeat
  readonly #throttle: Throttle
  #joined: Joined | undefined
  #isClosed = false
  /** Messages that came while an earlier one was still being worked on. */
  readonly #inbox: Uint8Array[] = []
  #isBusy = true
  #hasStep1 = false

  /** @param socket the socket below the WebSocket, for frames that are shared */
  constructor(webSocket: WebSocket, socket: Duplex, terms: ConnectionTerms, context: ConnectionContext) {
    const { config, clock } = context
    this.user = terms.lease.permit.user
    this.#webSocket = webSocket
    this.#terms = terms
    this.#context = context
    this.#heartbeat = new Heartbeat(webSocket, clock, config.pingIntervalMs)
    this.#throttle = new Throttle(config, clock)
    this.#writer = new FrameWriter(socket, config.socketBufferBytes, clock, () => this.#drained())
  }

  /** Begins to read and joins the document. */
  start(): void {
    const webSocket = this.#webSocket
    webSocket.on('message', (data, isBinary) => this.#received(data, isBinary))
    webSocket.on('pong', () => this.#heartbeat.heard())
    webSocket.on('ping', () => this.#pinged())
    webSocket.on('close', () => this.leave())
    this.#updateFlow()
    const { documents } = this.#context
    documents.join(this.#document, this).then(
      (document) => this.#join(document),
      (error: unknown) => this.#refuseLater(error),
    )
  }

  get position(): number | undefined {
    return this.#joined?.outlet.position
  }

  get snapshot(): Chunked | undefined {
    return this.#joined?.outlet.snapshot
  }

  deliver(flush: Flush): void {
    if (!this.#joined) return
    this.#updateFlow()
    this.#joined.intake.askAgain()
    // Without room everything stays where it is until the socket drains.
    if (this.#writer.hasRoom) this.#joined.outlet.deliver(flush, this.#joined.intake.nextAcknowledgement())
  }

  end(reason: EndReason): void {
    this.close(CLOSE[reason])
  }

  write(frame: Buffer): void {
    if (this.#writer.hasRoom) this.#writer.write(frame)
  }

  isAlive(): Promise<boolean> {
    return this.#isClosed ? Promise.resolve(false) : this.#heartbeat.challenge()
  }

  /** Keeps the connection alive and ends it when the peer is not; called about once a second. */
  tick(now: number): void {
    if (!this.#joined || this.#isClosed) return
    const { keepAliveMs, stallTimeoutMs } = this.#context.config
    const { blockedSince, lastWriteAt, hasRoom } = this.#writer
    // It may come back and get everything in one update.
    if (blockedSince !== undefined && now - blockedSince >= stallTimeoutMs) {
      this.close(CLOSE.stalled)
      return
    }
    // A ping would stand behind all that is unsent, and its answer come later than a slow peer deserves to be cut.
    if (!hasRoom) return
    if (now - lastWriteAt >= keepAliveMs) this.#writer.write(KEEP_ALIVE_FRAME)
    this.#heartbeat.tick(now)
  }

  close({ code, reason }: Close): void {
    if (this.#isClosed) return
    this.leave()
    this.#webSocket.close(code, reason)
    // The peer's own close frame is still to be read.
    this.#webSocket.resume()
  }

  /** Takes no more part. What the peer sent before is still taken in, if that is not done yet. */
  leave(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#terms.lease.release()
    this.#writer.close()
    this.#joined?.outlet.close()
    this.#throttle.lift()
    this.#joined?.document.presence.leave(this)
    this.#joined?.goodbye()
    if (!this.#isBusy) this.#joined?.document.unsubscribe(this)
  }

  get #document(): string {
    return this.#terms.lease.permit.document
  }

  #join(document: Document): void {
    const { documents, workers, hooks } = this.#context
    const { access, acknowledges, echo } = this.#terms
    const writer = this.#writer
    const onError = (error: unknown) => this.#refuse(error)
    const throttle = this.#throttle
    const intake = new Intake({ workers, document, writer, throttle, self: this, access, acknowledges })
    const outlet = new Outlet({ document, documents, writer, throttle, self: this, echo, onError })
    // One that was closed meanwhile has never been here; what it sent is taken in all the same.
    const goodbye = this.#isClosed ? () => undefined : hooks.connected({ name: document.name, user: this.user, access })
    this.#joined = { document, intake, outlet, goodbye }
    writer.together(() => {
      intake.begin()
      outlet.showPresence()
    })
    this.#workOff(this.#joined)
  }

  #received(data: RawData, isBinary: boolean): void {
    if (this.#isClosed) return
    this.#heartbeat.heard()
    if (!isBinary || !(data instanceof Uint8Array)) {
      this.close(CLOSE.textFrame)
      return
    }
    this.#throttle.received(data.length)
    if (this.#isBusy || !this.#joined) this.#inbox.push(data)
    else this.#handle(data, this.#joined)
  }

  /** Handles what has come in the meantime, in order, a message in a turn of the event loop. */
  #workOff(joined: Joined): void {
    this.#isBusy = false
    const next = this.#inbox.shift()
    if (next) this.#handle(next, joined)
    if (this.#isBusy) return
    if (this.#inbox.length > 0) this.#waitFor(nextTurn(), joined)
    else if (this.#isClosed) joined.document.unsubscribe(this)
    else this.#updateFlow()
  }

  #handle(bytes: Uint8Array, joined: Joined): void {
    if (!this.#hasStep1 && bytes.length > this.#context.config.maxFirstMessageBytes) {
      this.close(CLOSE.firstMessageTooLarge)
      return
    }
    this.#waitFor(this.#throttle.measure(() => this.#take(bytes, joined)) ?? this.#throttle.pause(), joined)
  }

  #pinged(): void {
    this.#throttle.received(PING_BYTES)
    if (!this.#isBusy && this.#joined) this.#waitFor(this.#throttle.pause(), this.#joined)
  }

  #waitFor(work: Promise<unknown> | undefined, joined: Joined): void {
    this.#isBusy = work !== undefined
    this.#updateFlow()
    void work?.catch((error: unknown) => this.#refuse(error)).finally(() => this.#workOff(joined))
  }

  /** Gives a promise where it takes longer. */
  #take(bytes: Uint8Array, joined: Joined): Promise<void> | undefined {
    try {
      const message = decodeMessage(bytes, this.#terms.acknowledges)
      if (isEdits(message)) return joined.intake.receive(message)
      if (!this.#isClosed) this.#dispatch(message, joined)
    } catch (error) {
      this.#refuse(error)
    }
    return undefined
  }

  #dispatch(message: Exclude<ClientMessage, Edits>, { document, outlet }: Joined): void {
    switch (message.type) {
      case 'step1':
        this.#hasStep1 = true
        outlet.answer(message.stateVector)
        break
      case 'awareness':
        document.presence.receive(this, message.entries)
        break
      case 'queryAwareness':
        if (this.#writer.hasRoom) outlet.showPresence()
        break
      case 'token':
        this.#terms.lease.renew(message.token)
        break
      case 'unknown':
        this.#context.log.debug({ type: message.number }, 'ignored a message of unknown type')
        break
      default:
        message satisfies never
    }
  }

  #drained(): void {
    this.#heartbeat.heard()
    this.#joined?.outlet.resume()
    this.#joined?.intake.resume()
  }

  /** Reads on only while what was read can be worked on. */
  #updateFlow(): void {
    if (this.#isClosed) return
    const mustWait = this.#isBusy || this.#joined?.document.isCongested === true
    if (mustWait === this.#webSocket.isPaused) return
    if (mustWait) this.#webSocket.pause()
    else this.#webSocket.resume()
  }

  /** The document could not be opened, and cannot be at the next moment either, when clients come back. */
  #refuseLater(error: unknown): void {
    const { clock, documents } = this.#context
    const delay = documents.refusals.next(this.#document)
    const cancel = clock.after(delay, () => this.#refuse(error))
    this.#webSocket.on('close', cancel)
  }

  #refuse(error: unknown): void {
    this.#inbox.length = 0
    if (this.#isClosed) return
    const close = closeFor(error)
    const facts = { err: error, document: this.#document }
    // Damage was logged where it was found: whoever comes meets it again.
    const isNews = close === CLOSE.failed && !hasCode(error, 'STORAGE_DAMAGED')
    this.#context.log[isNews ? 'error' : 'debug'](facts, 'closed a connection')
    this.close(close)
  }
}
