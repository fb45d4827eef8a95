import { WebSocket } from 'ws'
import type { RunningServer } from '../servers/server.ts'
import { within } from '../within.ts'
import type { Dialect } from './dialect.ts'

const CONNECT_LIMIT_MS = 300_000
const MAX_FRAME_BYTES = 256 * 1024 * 1024

/** What a client does with what arrives; `at` is the time of arrival as `performance.now()` has it. */
export interface Handlers {
  /** A Step2 or an Update, of which the former may be empty. */
  content?(update: Uint8Array, at: number): void
  /** So many of the client's messages are durable. A client that wants to know selects the subprotocol for it. */
  acknowledged?(messages: number, at: number): void
  awareness?(update: Uint8Array, at: number): void
  /** The Step2 has arrived; it was given to `content` before. */
  synced?(at: number): void
}

export interface Client {
  /** Sends a frame made by `update` or `awareness` of the dialect. */
  send(frame: Uint8Array): void
  /** Stops reading. */
  pause(): void
  resume(): void
}

/** The clients of one load. They hold no documents and answer nothing but the server's Step1. */
export class ClientGroup {
  readonly #server: RunningServer
  readonly #sockets: WebSocket[] = []
  readonly #lost: Promise<never>
  #reportLoss: (reason: Error) => void = () => undefined
  #closing = false

  constructor(server: RunningServer) {
    this.#server = server
    this.#lost = new Promise((_, reject) => {
      this.#reportLoss = reject
    })
    this.#lost.catch(() => undefined)
  }

  /**
   * Resolves once the server has answered the client's Step1.
   *
   * @param place at which of the nodes; from 0 on, again and again
   */
  async connect(document: string, handlers: Handlers = {}, place = 0): Promise<Client> {
    const { dialect, urls } = this.#server
    const url = urls[place % urls.length] ?? ''
    const socket = new WebSocket(dialect.address(url, document), handlers.acknowledged ? acknowledging(dialect) : [], {
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
    })
    this.#sockets.push(socket)
    socket.on('open', () => {
      for (const frame of dialect.opening(document)) socket.send(frame)
    })
    socket.on('error', (error) => this.#lose(document, error.message))
    socket.on('close', (code, reason) => this.#lose(document, `closed with ${code} ${reason}`))
    const synced = new Promise<void>((resolve) => {
      socket.on('message', (frame: Buffer) => this.#receive(socket, document, frame, handlers, resolve))
    })
    await this.wait(CONNECT_LIMIT_MS, `the answer to Step1 of "${document}"`, synced)
    return {
      send: (frame) => socket.send(frame),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
    }
  }

  /** Waits for `promise`, at most `ms`; rejects as soon as any client of the group loses its connection. */
  async wait<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
    return within(ms, what, Promise.race([promise, this.#lost]))
  }

  async close(): Promise<void> {
    this.#closing = true
    const closed = this.#sockets.map((socket) => new Promise((resolve) => closeSocket(socket, resolve)))
    await Promise.all(closed)
  }

  #receive(socket: WebSocket, document: string, frame: Buffer, handlers: Handlers, synced: () => void): void {
    const at = performance.now()
    const message = this.#server.dialect.read(frame)
    switch (message.kind) {
      case 'step1':
        socket.send(this.#server.dialect.emptyAnswer(document))
        break
      case 'step2':
        handlers.content?.(message.payload, at)
        handlers.synced?.(at)
        synced()
        break
      case 'update':
        handlers.content?.(message.payload, at)
        break
      case 'awareness':
        handlers.awareness?.(message.payload, at)
        break
      case 'acknowledged':
        handlers.acknowledged?.(message.messages, at)
        break
      case 'refused':
        this.#lose(document, `refused: ${message.reason}`)
        break
      case 'ignored':
        break
    }
  }

  #lose(document: string, reason: string): void {
    if (!this.#closing) this.#reportLoss(new Error(`A client of "${document}" was lost: ${reason}`))
  }
}

function acknowledging({ acknowledgingProtocol }: Dialect): string {
  if (acknowledgingProtocol === undefined) throw new Error('This server tells no client what is durable.')
  return acknowledgingProtocol
}

function closeSocket(socket: WebSocket, closed: (value?: unknown) => void): void {
  if (socket.readyState === WebSocket.CLOSED) {
    closed()
    return
  }
  socket.on('close', closed)
  socket.terminate()
}
