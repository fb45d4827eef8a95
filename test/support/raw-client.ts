import { once } from 'node:events'
import { type RawData, WebSocket } from 'ws'
import * as Y from 'yjs'
import { readServerMessage, type ServerMessage, step2, update } from './messages.ts'
import type { Release } from './temporary.ts'

export interface RawClientOptions {
  /** Where the clean-up goes: the socket is cut. */
  readonly release: Release
  readonly url: string
  readonly document: string
  /** Such as `?echo=1`. */
  readonly query?: string
  readonly protocols?: readonly string[]
}

/** How a connection ended, as the client saw it. */
export interface Closed {
  readonly code: number
  readonly reason: string
}

type Received<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>

/** Far above what a busy machine takes, below the time limit of a test, so that what is waited for gets named. */
const LIMIT_MS = 20_000

/** Opens a WebSocket on which the test itself says and hears every message. */
export function connectRaw(options: RawClientOptions): Promise<RawClient> {
  const { release, url, document, query = '', protocols = [] } = options
  return openRaw(release, `${url}${encodeURIComponent(document)}${query}`, protocols)
}

/** The same at an address that is used as it stands. */
export async function openRaw(
  release: Release,
  address: string,
  protocols: readonly string[] = [],
): Promise<RawClient> {
  const socket = new WebSocket(address, [...protocols])
  const client = new RawClient(socket)
  release(async () => client.cut())
  await once(socket, 'open')
  return client
}

/** Writes updates to a document and leaves when they are durable. */
export async function store(
  options: Pick<RawClientOptions, 'release' | 'url' | 'document'>,
  ...updates: readonly Uint8Array[]
): Promise<void> {
  const client = await connectRaw({ ...options, protocols: ['coedit.v1'] })
  client.send(step2(), ...updates.map(update))
  await client.until('all is durable', () => client.acknowledged === 1 + updates.length)
  await client.close()
}

/** A client made of nothing but its messages. */
export class RawClient {
  /** Everything received so far, in order. */
  readonly messages: ServerMessage[] = []
  readonly closed: Promise<Closed>
  readonly #socket: WebSocket
  #watchers: (() => void)[] = []
  #end: Closed | undefined

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data) => this.#received(bytesOf(data)))
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#end = { code, reason: reason.toString() }
        resolve(this.#end)
        this.#look()
      })
    })
    // A server that cuts the line is seen as close code 1006.
    socket.on('error', () => undefined)
  }

  /** The subprotocol that the server selected. */
  get protocol(): string {
    return this.#socket.protocol
  }

  get isOpen(): boolean {
    return this.#end === undefined
  }

  send(...messages: readonly (Uint8Array | string)[]): void {
    for (const message of messages) this.#socket.send(message)
  }

  /** Those of one type among the messages. */
  all<T extends ServerMessage['type']>(type: T): Received<T>[] {
    return this.messages.filter((message): message is Received<T> => message.type === type)
  }

  /** How the messages follow each other. */
  get types(): ServerMessage['type'][] {
    return this.messages.map(({ type }) => type)
  }

  /** The highest count acknowledged; undefined before the first acknowledgement. */
  get acknowledged(): number | undefined {
    return this.all('acknowledgement').at(-1)?.count
  }

  /** All edits received, applied to a document. */
  get doc(): Y.Doc {
    const doc = new Y.Doc()
    for (const message of this.messages) if ('update' in message) Y.applyUpdate(doc, message.update)
    return doc
  }

  /** Resolves when the condition holds, which is looked at now and after each message. Rejects when it cannot any more. */
  until(what: string, condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => leave(new Error(`waited ${LIMIT_MS / 1000} s in vain until ${what}`)), LIMIT_MS)
      const leave = (error?: Error) => {
        clearTimeout(limit)
        this.#watchers = this.#watchers.filter((watcher) => watcher !== look)
        if (error) reject(error)
        else resolve()
      }
      const look = () => {
        if (condition()) leave()
        else if (this.#end) leave(new Error(`closed with ${this.#end.code} ${this.#end.reason} before ${what}`))
      }
      this.#watchers.push(look)
      look()
    })
  }

  /** Resolves with the `index`th message of a type, counted from 0, as soon as it is there. */
  async message<T extends ServerMessage['type']>(type: T, index = 0): Promise<Received<T>> {
    await this.until(`message ${index} of type ${type} came`, () => this.all(type).length > index)
    return this.all(type)[index]
  }

  /** Says Step1 and waits for the end of the answer: from then on edits come by themselves. */
  async follow(...before: readonly Uint8Array[]): Promise<void> {
    const answers = this.all('step2').length
    this.send(...before, Uint8Array.of(0, 0, 1, 0))
    await this.message('step2', answers)
  }

  /** Resolves when the server has read all that was sent and everything that it sent before is here. */
  async roundTrip(): Promise<void> {
    this.#socket.ping()
    await Promise.race([once(this.#socket, 'pong'), this.closed])
  }

  /** Calls back for each ping of the server. */
  onPing(callback: () => void): void {
    this.#socket.on('ping', callback)
  }

  /** Stops reading: the server's bytes pile up, its pings stay unanswered. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Says goodbye, and waits until the server has. */
  async close(code = 1000): Promise<Closed> {
    this.#socket.close(code)
    return this.closed
  }

  /** Cuts the line. */
  cut(): void {
    this.#socket.terminate()
  }

  #received(message: Uint8Array): void {
    this.messages.push(readServerMessage(message))
    this.#look()
  }

  #look(): void {
    for (const look of [...this.#watchers]) look()
  }
}

function bytesOf(data: RawData): Uint8Array {
  if (data instanceof Uint8Array) return data
  throw new Error('a message in a form that was not asked for')
}
