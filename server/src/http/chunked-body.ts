import type { Socket } from 'node:net'

/** Above this a copy costs more than further writes, and is too much to be kept for the next reader. */
const MAX_COPIED_BYTES = 4096

/** The rest of a body, written to the socket below its answer in chunks (RFC 9112 §7.1). */
export class ChunkedBody {
  readonly socket: Socket

  constructor(socket: Socket) {
    this.socket = socket
  }

  /** Whether what is written now would wait in memory. */
  get writableNeedDrain(): boolean {
    return this.socket.writableNeedDrain
  }

  write(bytes: Uint8Array): void {
    if (bytes.length <= MAX_COPIED_BYTES) {
      this.socket.write(chunkOf(bytes))
      return
    }
    this.socket.cork()
    this.socket.write(headOf(bytes))
    this.socket.write(bytes)
    this.socket.write('\r\n')
    this.socket.uncork()
  }

  end(): void {
    this.socket.end('0\r\n\r\n')
  }

  on(event: 'drain', listener: () => void): void {
    this.socket.on(event, listener)
  }
}

/** The last small chunk that was made: many are written the same bytes, one after the other. */
let last: { readonly bytes: Uint8Array; readonly chunk: Buffer } | undefined

function chunkOf(bytes: Uint8Array): Buffer {
  if (last?.bytes !== bytes) last = { bytes, chunk: Buffer.concat([headOf(bytes), bytes, Buffer.from('\r\n')]) }
  return last.chunk
}

function headOf({ length }: Uint8Array): Buffer {
  return Buffer.from(`${length.toString(16)}\r\n`)
}
