import type { Cancel, Clock } from '../common/clock.ts'
import type { MESSAGE, SUBPROTOCOL, SYNC } from './messages.ts'
import type { OpenSocket, Socket, SocketEvents } from './socket.ts'

// Their types hold them to what they are elsewhere: what this file imported would be cut out of the page's main part.
const PROTOCOL: typeof SUBPROTOCOL = 'coedit.v1'
const SYNC_MESSAGE: typeof MESSAGE.sync = 0
const PRESENCE_MESSAGE: typeof MESSAGE.awareness = 1
const ACKNOWLEDGEMENT: typeof MESSAGE.acknowledgement = 100
const STEP1: typeof SYNC.step1 = 0
const STEP2: typeof SYNC.step2 = 1

/** A server begins a stream at once: what has brought nothing by then is kept back on the way. */
const BEGINNING_MS = 4_000
/** Servers break a silence after 29 s at the latest. */
const SILENCE_MS = 45_000
/** Streams that end together are not opened anew together. */
const REOPEN_MS = 1_000
/** How often presence is said anew, so that it does not vanish. A hidden page has no timers for that, but events. */
const PRESENCE_MS = 15_000
/** When it is tried whether WebSockets pass, at first and at last. */
const FIRST_PROBE_MS = 5_000
const MAX_PROBE_MS = 300_000
/** As many as a server takes at once. */
const MAX_MESSAGES = 1_000
/** What browsers let outlive its page. */
const MAX_LAST_BYTES = 60_000

/** What a WebSocket would be closed with, by the code of an error. */
const CLOSE_CODES: Readonly<Record<string, number>> = {
  DOCUMENT_NAME: 4400,
  UNAUTHORIZED: 4401,
  FORBIDDEN: 4403,
  GONE: 4404,
}

type Message = Uint8Array<ArrayBuffer>
const CLOSED_TOO_LARGE = 1009
const CLOSED_ABNORMALLY = 1006

/** Servers whose events are kept back on the way until the answer ends; for the whole page. */
const polled = new Set<string>()

export interface HttpSocketContext {
  readonly clock: Clock
  /** The server's address. */
  readonly server: string
  /** That of the document's API. */
  readonly api: string
  readonly isReadOnly: boolean
  /** Of the document in this page. */
  readonly clientId: number
  /** A secret of this page, by which the server knows it again. */
  readonly key: string
  readonly credentials: RequestCredentials
  readonly webSocket: OpenSocket
  /** Called when a WebSocket has come about. */
  readonly onWebSocket: () => void
}

/**
 * A socket where WebSockets are blocked: messages go to the server in requests, one after the other, and come from it in
 * their answers and by an event stream. Nothing is lost with a request that fails, since all that was not acknowledged comes
 * again with the next Step2, and nothing is doubled by one whose answer alone is lost, since Yjs takes an edit once. From time
 * to time it tries a WebSocket, and goes on as that.
 */
export class HttpSocket implements Socket {
  readonly protocol = PROTOCOL
  readonly #context: HttpSocketContext
  readonly #events: SocketEvents
  /** Aborted when nothing goes by HTTP any more. */
  readonly #ended = new AbortController()
  /** Aborts the present event stream; undefined before the server has answered a Step1. */
  #stream: AbortController | undefined
  /** Its own, and one with the token, if there is any. */
  #protocols: readonly string[]
  #isOpen = false
  #isCalling = false
  #queue: Message[] = []
  /** What the request that is under way holds. */
  #underWay: Message[] = []
  #presence: Message | undefined
  #presenceAt = 0
  /** Messages with edits that were sent. */
  #sent = 0
  /** Whether some of these were not taken, and have to come again with a Step2. */
  #isHeld = false
  /** Up to where events have come. */
  #place = ''
  #cancelProbe: Cancel | undefined
  /** The WebSocket that is tried. */
  #tried: Socket | undefined
  /** The one by which it goes on. */
  #webSocket: Socket | undefined

  static open(context: HttpSocketContext, protocols: readonly string[], events: SocketEvents): HttpSocket {
    const socket = new HttpSocket(context, protocols, events)
    void socket.#call()
    return socket
  }

  constructor(context: HttpSocketContext, protocols: readonly string[], events: SocketEvents) {
    this.#context = context
    this.#protocols = protocols
    this.#events = events
  }

  get transport(): Socket['transport'] {
    return this.#webSocket ? 'websocket' : 'http'
  }

  get isOpen(): boolean {
    return this.#webSocket?.isOpen ?? this.#isOpen
  }

  send(message: Message): void {
    if (this.#webSocket) {
      this.#webSocket.send(message)
      return
    }
    if (message[0] === PRESENCE_MESSAGE) {
      // Of several that wait only the last one counts.
      this.#queue = this.#queue.filter(([type]) => type !== PRESENCE_MESSAGE)
      this.#presence = message
      this.#presenceAt = this.#context.clock.now()
    }
    this.#queue.push(message)
    void this.#call()
  }

  renew(token: string): boolean {
    this.#protocols = [PROTOCOL, `bearer.${token}`]
    return !this.#webSocket
  }

  close(): void {
    const wasOpen = this.#isOpen
    this.#end()
    this.#webSocket?.close()
    if (wasOpen) void this.#leave(...this.#underWay, ...this.#queue)
  }

  /** Nothing goes by HTTP any more. */
  #end(): void {
    this.#isOpen = false
    this.#ended.abort()
    this.#stream?.abort()
    this.#cancelProbe?.()
    if (!this.#webSocket) this.#tried?.close()
  }

  #fail(code = CLOSED_ABNORMALLY, reason = ''): void {
    if (this.#ended.signal.aborted) return
    this.#end()
    this.#events.onClose(code, reason)
  }

  /** Sends what there is, and then what has come meanwhile. The first request has nothing in it. */
  async #call(): Promise<void> {
    if (this.#isCalling) return
    this.#isCalling = true
    do {
      this.#underWay = this.#queue.splice(0, MAX_MESSAGES)
      const edits = this.#underWay.filter(([type, kind]) => type === SYNC_MESSAGE && kind !== STEP1)
      if (edits.some(([, kind]) => kind === STEP2)) this.#isHeld = false
      const wasHeld = this.#isHeld
      if (edits.length > 0) this.#isHeld = true
      const response = await this.#fetch(this.#path, this.#ended, bodyOf(this.#underWay))
      this.#sent += edits.length
      if (response && !this.#isOpen) {
        this.#isOpen = true
        this.#events.onOpen()
        this.#probeAfter(FIRST_PROBE_MS)
      }
      const isWhole = await this.#read(response, (type) => {
        if (type !== ACKNOWLEDGEMENT) return true
        this.#isHeld = wasHeld
        return !wasHeld
      })
      if (!isWhole) return this.#fail()
      if (this.#place && !this.#stream) void this.#listen()
    } while (this.#queue.length > 0)
    this.#underWay = []
    this.#isCalling = false
  }

  /** Events begin where the first Step1 was answered, and go on behind the last one. */
  async #listen(): Promise<void> {
    const { server, clock, clientId } = this.#context
    while (!this.#ended.signal.aborted) {
      const isPolled = polled.has(server)
      const stream = new AbortController()
      this.#stream = stream
      const giveUp = () => {
        polled.add(server)
        stream.abort()
      }
      let cancel = clock.after(isPolled ? SILENCE_MS : BEGINNING_MS, giveUp)
      const path = `events?as=messages&client=${clientId}${isPolled ? '&poll=1' : ''}`
      await this.#read(await this.#fetch(path, stream), (type) => {
        if (type !== undefined) return true
        cancel()
        cancel = clock.after(SILENCE_MS, giveUp)
        if (this.#presence && clock.now() - this.#presenceAt > PRESENCE_MS) this.send(this.#presence)
        return false
      })
      cancel()
      await new Promise<void>((resolve) => clock.after(isPolled ? 0 : Math.random() * REOPEN_MS, resolve))
    }
  }

  /**
   * Brings the messages in an answer as they come. Resolves with whether it has come to its end.
   * @param isWanted asked for each message by its type, and before without one when something has come
   */
  async #read(response: Response | undefined, isWanted: (type?: number) => boolean): Promise<boolean> {
    const reader = response?.body?.getReader()
    let rest = ''
    try {
      for (let part = await reader?.read(); part; part = await reader?.read()) {
        if (part.done) return true
        isWanted()
        const events = (rest + new TextDecoder().decode(part.value)).split('\n\n')
        rest = events.pop() ?? ''
        for (const event of events) {
          const { data, id, event: name } = Object.fromEntries(event.split('\n').map((line) => line.split(': ')))
          if (name) this.#fail(CLOSE_CODES.GONE)
          if (this.#ended.signal.aborted) return false
          const message = data && Uint8Array.from(atob(data), (char) => char.charCodeAt(0))
          if (message && isWanted(message[0])) this.#events.onMessage(message)
          // What a Step1 was answered with is all that was missing up to there, whatever a stream has still to bring.
          if (id) this.#place = id
        }
      }
    } catch {
      // It was cut. A stream goes on behind what has come.
    }
    return false
  }

  #probeAfter(delayMs: number): void {
    this.#cancelProbe = this.#context.clock.after(delayMs, () => {
      this.#tried?.close()
      this.#probeAfter(Math.min(delayMs * 3, MAX_PROBE_MS))
      this.#probe()
    })
  }

  /** One that brings something is no mere promise of a proxy: coedit's server speaks first. */
  #probe(): void {
    const early: unknown[] = []
    try {
      const socket = this.#context.webSocket(this.#protocols, {
        onOpen: () => undefined,
        onMessage: (data) => {
          if (this.#webSocket) this.#events.onMessage(data)
          else if (early.push(data) === 1) void this.#goOnAs(socket, early)
        },
        onClose: (...given) => this.#webSocket && this.#events.onClose(...given),
      })
      this.#tried = socket
    } catch {
      // The runtime opens none to such an address.
    }
  }

  /** Presence is given up before it is claimed: the server cannot know that both are the same. */
  async #goOnAs(socket: Socket, early: readonly unknown[]): Promise<void> {
    await this.#leave()
    if (this.#ended.signal.aborted) return
    if (!socket.isOpen) {
      if (this.#presence) this.send(this.#presence)
      return
    }
    this.#webSocket = socket
    this.#end()
    this.#context.onWebSocket()
    this.#events.onOpen()
    for (const message of early) this.#events.onMessage(message)
  }

  /** Says what is left to say. Presence gives way to whoever claims it, and vanishes a moment later. */
  async #leave(...messages: Message[]): Promise<void> {
    if (this.#presence) messages.push(this.#presence)
    const body = bodyOf(messages)
    const keepalive = body.size < MAX_LAST_BYTES
    await this.#ask(`${this.#path}&leave=1`, { body, keepalive }).catch(() => undefined)
  }

  get #path(): string {
    return `messages?sent=${this.#sent}${this.#context.isReadOnly ? '&access=read' : ''}`
  }

  #ask(path: string, request: RequestInit): Promise<Response> {
    const { api, key, credentials } = this.#context
    const headers: Record<string, string> = { 'Coedit-Client': key, 'Last-Event-ID': this.#place }
    const [, bearer] = this.#protocols
    if (bearer) headers.Authorization = bearer.replace('.', ' ')
    return fetch(`${api}/${path}`, { ...request, method: request.body ? 'POST' : 'GET', headers, credentials })
  }

  /** Resolves with what a coedit server answers; undefined where the socket is closed for want of that. */
  async #fetch(path: string, { signal }: AbortController, body?: Blob): Promise<Response | undefined> {
    let code: number | undefined
    let reason: string | undefined
    try {
      const response = await this.#ask(path, { signal, ...(body && { body }) })
      if (response.headers.get('content-type')?.startsWith('text/event-stream')) return response
      if (response.status === 413) code = CLOSED_TOO_LARGE
      const { error } = await response.json()
      code = CLOSE_CODES[error.code] ?? code
      reason = error.message
    } catch {
      // There is no answer, or it is somebody else's.
    }
    // A stream that was given up here is none that has failed.
    if (!signal.aborted) this.#fail(code, reason)
    return undefined
  }
}

/** Each message with its length before it. */
function bodyOf(messages: readonly Message[]): Blob {
  return new Blob(messages.flatMap((message) => [Uint32Array.of(message.length), message]))
}
