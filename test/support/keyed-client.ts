import { once } from 'node:events'
import * as decoding from 'lib0/decoding'
import { WebSocket } from 'ws'
import { bytes } from './bytes.ts'
import { readServerMessage, type ServerMessage } from './messages.ts'
import type { Closed } from './raw-client.ts'
import type { Release } from './temporary.ts'

/** What the server says for one key (R101). */
export type KeyedServerMessage =
  | Exclude<ServerMessage, { type: 'denied' }>
  | { readonly type: 'tokenRequest' }
  | { readonly type: 'denied'; readonly reason: string }
  | { readonly type: 'authenticated'; readonly scope: string }
  | { readonly type: 'stateless'; readonly payload: string }
  | { readonly type: 'close'; readonly reason: string }
  | { readonly type: 'status'; readonly wasTaken: boolean }

type Heard = KeyedServerMessage & { readonly key: string }
type Received<T extends Heard['type']> = Extract<Heard, { type: T }>

/** Far above what a busy machine takes, below the time limit of a test, so that what is waited for gets named. */
const LIMIT_MS = 20_000

export const token = (text: string, version?: string): Uint8Array =>
  version === undefined ? bytes(2, 0, text) : bytes(2, 0, text, version)
export const stateless = (payload: string): Uint8Array => bytes(5, payload)
export const CLOSE = Uint8Array.of(7)

/** Opens a WebSocket as @hocuspocus/provider does, on which the test itself says and hears every message. */
export async function connectKeyed(release: Release, url: string): Promise<KeyedClient> {
  const socket = new WebSocket(url)
  const client = new KeyedClient(socket)
  release(async () => socket.terminate())
  await once(socket, 'open')
  return client
}

/** A client of the dialect of Hocuspocus that is made of nothing but its messages. */
export class KeyedClient {
  /** Everything received so far, in order. */
  readonly messages: Heard[] = []
  readonly closed: Promise<Closed>
  readonly #socket: WebSocket
  #watchers: (() => void)[] = []
  #end: Closed | undefined

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data) => {
      if (!(data instanceof Uint8Array)) throw new Error('a message in a form that was not asked for')
      this.messages.push(readKeyed(data))
      this.#look()
    })
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#end = { code, reason: reason.toString() }
        resolve(this.#end)
        this.#look()
      })
    })
    socket.on('error', () => undefined)
  }

  get isOpen(): boolean {
    return this.#end === undefined
  }

  /** Says these for a document. */
  send(key: string, ...messages: readonly Uint8Array[]): void {
    for (const message of messages) this.#socket.send(bytes(key, message))
  }

  /** Says these as they are. */
  sendRaw(...messages: readonly Uint8Array[]): void {
    for (const message of messages) this.#socket.send(message)
  }

  /** What was heard for a key, in order. */
  types(key: string): Heard['type'][] {
    return this.messages.filter((message) => message.key === key).map(({ type }) => type)
  }

  all<T extends Heard['type']>(key: string, type: T): Received<T>[] {
    return this.messages.filter((message): message is Received<T> => message.key === key && message.type === type)
  }

  /** Resolves with the `index`th message of a type for this key, counted from 0, as soon as it is there. */
  async message<T extends Heard['type']>(key: string, type: T, index = 0): Promise<Received<T>> {
    await this.until(`message ${index} of type ${type} came`, () => this.all(key, type).length > index)
    return this.all(key, type)[index]
  }

  /** How many edits for this key are durable, as it was told. */
  stored(key: string): number {
    return this.all(key, 'status').filter(({ wasTaken }) => wasTaken).length
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

  /** Resolves when the server has read all that was sent and everything that it sent before is here. */
  async roundTrip(): Promise<void> {
    this.#socket.ping()
    await Promise.race([once(this.#socket, 'pong'), this.closed])
  }

  cut(): void {
    this.#socket.terminate()
  }

  #look(): void {
    for (const look of [...this.#watchers]) look()
  }
}

/** @throws Error where a provider would not understand the message */
function readKeyed(message: Uint8Array): Heard {
  const decoder = decoding.createDecoder(message)
  const key = decoding.readVarString(decoder)
  const rest = message.subarray(decoder.pos)
  const own = readOwn(decoding.createDecoder(rest))
  return { key, ...(own ?? readCommon(rest)) }
}

function readCommon(message: Uint8Array): KeyedServerMessage {
  const read = readServerMessage(message)
  if (read.type === 'denied') throw new Error('y-websocket says so, not Hocuspocus')
  return read
}

function readOwn(decoder: decoding.Decoder): KeyedServerMessage | undefined {
  switch (decoding.readVarUint(decoder)) {
    case 2:
      return readAuth(decoder)
    case 5:
      return { type: 'stateless', payload: decoding.readVarString(decoder) }
    case 7:
      return { type: 'close', reason: decoding.readVarString(decoder) }
    case 8:
      return { type: 'status', wasTaken: decoding.readVarUint(decoder) === 1 }
    default:
      return undefined
  }
}

function readAuth(decoder: decoding.Decoder): KeyedServerMessage {
  const kind = decoding.readVarUint(decoder)
  if (kind === 0) return { type: 'tokenRequest' }
  const text = decoding.readVarString(decoder)
  return kind === 1 ? { type: 'denied', reason: text } : { type: 'authenticated', scope: text }
}
