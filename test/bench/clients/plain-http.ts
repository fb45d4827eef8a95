import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { RunningServer } from '../servers/server.ts'

/** A connection that sends one request after the other, and takes answers without a body. */
export class Patcher {
  readonly #socket: Socket
  readonly #host: string
  #answered: (status: number) => void = () => undefined
  #failed: (error: Error) => void = () => undefined
  #received = ''

  private constructor(socket: Socket, host: string) {
    this.#socket = socket
    this.#host = host
    socket.on('data', (data) => this.#read(data))
    socket.on('close', () => this.#failed(new Error('The server has closed a connection.')))
  }

  static async connect(server: RunningServer): Promise<Patcher> {
    const { socket, host } = await connected(server)
    return new Patcher(socket, host)
  }

  /** Sends a JSON Merge Patch of a root; rejects unless that is durable. */
  async patch(document: string, root: string, body: string): Promise<void> {
    if (this.#socket.destroyed) throw new Error('The server has closed a connection.')
    const answer = new Promise<number>((resolve, reject) => {
      this.#answered = resolve
      this.#failed = reject
    })
    this.#socket.write(
      `PATCH /api/documents/${document}/content?root=${root} HTTP/1.1\r\nhost: ${this.#host}\r\n` +
        `content-type: application/merge-patch+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
    const status = await answer
    if (status !== 204) throw new Error(`A patch of "${document}" was answered with ${status}.`)
  }

  close(): void {
    this.#failed = () => undefined
    this.#socket.destroy()
  }

  #read(data: Buffer): void {
    this.#received += data.toString('latin1')
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) return
    const status = Number(this.#received.slice(9, 12))
    this.#received = this.#received.slice(end + 4)
    this.#answered(status)
  }
}

/** What an event stream brings, without what `EventSource` would make of it. */
export class Watcher {
  readonly #socket: Socket
  #isClosing = false

  private constructor(socket: Socket) {
    this.#socket = socket
  }

  /**
   * Resolves with the answer's beginning.
   * @param onData called with all that comes, the head of the answer too
   * @param onLost called where the server hangs up
   */
  static async open(
    server: RunningServer,
    path: string,
    onData: (data: Buffer) => void,
    onLost: (error: Error) => void,
  ): Promise<Watcher> {
    const { socket, host } = await connected(server)
    const watcher = new Watcher(socket)
    socket.on('close', () => {
      if (!watcher.#isClosing) onLost(new Error('A watcher was lost.'))
    })
    socket.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\naccept: text/event-stream\r\n\r\n`)
    // Not a moment without a listener: what came then would be lost.
    socket.on('data', onData)
    const [first]: Buffer[] = await once(socket, 'data')
    if (!first?.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error(`A watcher was refused: ${first}`)
    return watcher
  }

  close(): void {
    this.#isClosing = true
    this.#socket.destroy()
  }
}

async function connected({ urls: [url = ''] }: RunningServer): Promise<{ socket: Socket; host: string }> {
  const { hostname, port, host } = new URL(url)
  const socket = connect(Number(port), hostname).setNoDelay(true)
  await once(socket, 'connect')
  return { socket, host }
}
