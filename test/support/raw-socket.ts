import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Closed } from './raw-client.ts'
import type { Release } from './temporary.ts'

/** RFC 6455 §5.2. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface Frame {
  readonly payload?: Uint8Array
  /** Default: binary. */
  readonly opcode?: number
  /** Default: true. */
  readonly fin?: boolean
  /** The three reserved bits, from 0 to 7. Default: 0. */
  readonly reserved?: number
  /** Default: true, as RFC 6455 demands of clients. */
  readonly masked?: boolean
  /** Default: the length of the payload. */
  readonly declaredLength?: number
}

export interface RawSocketOptions {
  /** Where the clean-up goes: the socket is cut. */
  readonly release: Release
  readonly url: string
  /** What follows `GET ` in the request, unchanged. */
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The status line and headers that an upgrade was answered with. */
export interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
}

/** Asks for an upgrade on a bare TCP socket, for frames that no WebSocket library sends. */
export async function openRawSocket({ release, url, target, headers = {} }: RawSocketOptions): Promise<RawSocket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  release(async () => {
    socket.destroy()
  })
  await once(socket, 'connect')
  const all = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    ...headers,
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`GET ${target} HTTP/1.1\r\n${lines.join('')}\r\n`)
  const raw = new RawSocket(socket)
  await raw.answer
  return raw
}

/** A TCP socket after its upgrade request. */
export class RawSocket {
  readonly answer: Promise<Answer>
  /** Code 1006 where the line was cut without a close frame. */
  readonly closed: Promise<Closed>
  /** Payloads of the binary frames received so far. */
  readonly messages: Buffer[] = []
  readonly #socket: Socket
  #bytes = Buffer.alloc(0)
  #isUpgraded = false
  #end: Closed = { code: 1006, reason: '' }
  readonly #events = new EventEmitter()
  #pongs = 0

  constructor(socket: Socket) {
    this.#socket = socket
    this.answer = new Promise((resolve) => {
      socket.on('data', (chunk) => this.#received(chunk, resolve))
    })
    this.closed = new Promise((resolve) => socket.on('close', () => resolve(this.#end)))
    // A server that resets the line is seen as close code 1006.
    socket.on('error', () => undefined)
  }

  /** Resolves when this many pongs have come in all, or the line is cut. */
  async untilPong(count = 1): Promise<void> {
    while (this.#pongs < count && !this.#socket.destroyed) {
      await Promise.race([once(this.#events, 'pong'), this.closed])
    }
  }

  /** Sends frames in one write, so that the server reads them together. */
  send(...frames: readonly Frame[]): void {
    this.write(Buffer.concat(frames.map(encodeFrame)))
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** Resolves when the condition holds of what has come, or the line is cut. */
  async until(condition: (messages: readonly Buffer[]) => boolean): Promise<void> {
    while (!condition(this.messages) && !this.#socket.destroyed) {
      await Promise.race([once(this.#events, 'message'), this.closed])
    }
  }

  /** Resolves when what was written is in the hands of the system, or the line is cut. */
  async flushed(): Promise<void> {
    if (this.#socket.writableLength === 0) return
    const drained = new Promise((resolve) => this.#socket.once('drain', resolve))
    await Promise.race([drained, this.closed])
  }

  /** Cuts the line. */
  cut(): void {
    this.#socket.destroy()
  }

  /** Stops reading. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  #received(chunk: Buffer, onAnswer: (answer: Answer) => void): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    if (!this.#isUpgraded) this.#readAnswer(onAnswer)
    while (this.#isUpgraded && this.#readFrame());
  }

  #readAnswer(onAnswer: (answer: Answer) => void): void {
    const end = this.#bytes.indexOf('\r\n\r\n')
    if (end < 0) return
    const [status, ...headers] = this.#bytes.toString('latin1', 0, end).split('\r\n')
    this.#bytes = this.#bytes.subarray(end + 4)
    this.#isUpgraded = true
    onAnswer({
      status: Number(status.split(' ')[1]),
      headers: new Map(headers.map((line) => [line.split(': ')[0].toLowerCase(), line.split(': ')[1]])),
    })
  }

  /** Whether a whole frame was there. A server does not mask and, here, does not fragment. */
  #readFrame(): boolean {
    const bytes = this.#bytes
    if (bytes.length < 2) return false
    const short = bytes[1] & 0x7f
    const header = short === 127 ? 10 : short === 126 ? 4 : 2
    if (bytes.length < header) return false
    const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short
    if (bytes.length < header + length) return false
    this.#bytes = bytes.subarray(header + length)
    this.#take(bytes[0] & 0x0f, bytes.subarray(header, header + length))
    return true
  }

  #take(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.binary) {
      this.messages.push(payload)
      this.#events.emit('message')
    }
    if (opcode === OPCODE.pong) {
      this.#pongs++
      this.#events.emit('pong')
    }
    if (opcode !== OPCODE.close) return
    this.#end = { code: payload.length < 2 ? 1005 : payload.readUInt16BE(0), reason: payload.toString('utf8', 2) }
    this.#socket.end()
  }
}

function encodeFrame(frame: Frame): Buffer {
  const { payload = new Uint8Array(), opcode = OPCODE.binary, fin = true, reserved = 0, masked = true } = frame
  const length = frame.declaredLength ?? payload.length
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode
  const maskBit = masked ? 0x80 : 0
  // A mask of zeros leaves the payload as it is.
  return Buffer.concat([Uint8Array.of(first), lengthBytes(length, maskBit), Buffer.alloc(masked ? 4 : 0), payload])
}

function lengthBytes(length: number, maskBit: number): Buffer {
  if (length < 126) return Buffer.of(maskBit | length)
  if (length < 65_536) return Buffer.of(maskBit | 126, length >> 8, length & 0xff)
  const bytes = Buffer.alloc(9, maskBit | 127)
  bytes.writeBigUInt64BE(BigInt(length), 1)
  return bytes
}
