import type { Cancel, Clock } from '../common/clock.ts'
import type { MESSAGE, SYNC } from './messages.ts'
import type { OpenSocket, Socket } from './socket.ts'

// Their types hold them to what they are elsewhere: what this file imported would be cut out of the page's main part.
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
/** When it is tried whether WebSockets pass, at first and at last. */
const FIRST_PROBE_MS = 5_000
const MAX_PROBE_MS = 300_000
/** As many as a server takes at once. */
const MAX_MESSAGES = 1_000
/** Browsers let twice as much outlive its page. */
const MAX_LASTING_BYTES = 30_000

/** What a WebSocket would be closed with, by the code of an error. */
const CLOSE_CODES: Readonly<Record<string, number>> = {
  DOCUMENT_NAME: 4400,
  UNAUTHORIZED: 4401,
  FORBIDDEN: 4403,
  GONE: 4404,
}

const CLOSED_TOO_LARGE = 1009
const CLOSED_ABNORMALLY = 1006

type Message = Uint8Array<ArrayBuffer>

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
 * Opens a socket where WebSockets are blocked: messages go to the server in requests, one after the other, and come from it in
 * their answers and by an event stream. Nothing is lost with a request that fails, since all that was not acknowledged comes
 * again with the next Step2, and nothing is doubled by one whose answer alone is lost, since Yjs takes an edit once. From time
 * to time it tries a WebSocket, and goes on as that. It is no class, in which every name would be sent to the browser.
 */
export function httpSocket(context: HttpSocketContext): OpenSocket {
  return (protocols, events) => {
    const { server, api, key, credentials, clock } = context
    const [protocol = ''] = protocols
    /** Nothing goes by HTTP any more. */
    let hasEnded = false
    /** The present request, and the present event stream; undefined before the server has answered a Step1. */
    let request: AbortController | undefined
    let stream: AbortController | undefined
    /** The protocol, and one with the token, if there is any. */
    let offered = protocols
    let isOpen = false
    /** The requests that are under way or follow at once. */
    let calls: Promise<void> | undefined
    /** Whether it is going on by a WebSocket, before which nothing more is to be said by HTTP. */
    let isLeaving = false
    let queue: Message[] = []
    /** What the request that is under way holds. */
    let underWay: Message[] = []
    let presence: Message | undefined
    /** Messages with edits that were sent. */
    let sent = 0
    /** Whether some of these were not taken, and have to come again with a Step2. */
    let isHeld = false
    /** Up to where events have come. */
    let place = ''
    let cancelProbe: Cancel | undefined
    let cancelStream: Cancel | undefined
    /** The WebSocket that is tried. */
    let tried: Socket | undefined
    /** The one by which it goes on. */
    let webSocket: Socket | undefined

    const end = () => {
      isOpen = false
      hasEnded = true
      request?.abort()
      stream?.abort()
      cancelProbe?.()
      cancelStream?.()
      if (!webSocket) tried?.close()
    }

    const fail = (code = CLOSED_ABNORMALLY, reason = '') => {
      if (hasEnded) return
      end()
      events.onClose(code, reason)
    }

    const send = (message: Message) => {
      if (message[0] === PRESENCE_MESSAGE) {
        // Of several that wait only the last one counts.
        queue = queue.filter((other) => other !== presence)
        presence = message
      }
      queue.push(message)
      call()
    }

    const call = () => {
      if (!isLeaving) calls ??= callAll()
    }

    /** Sends what there is, and then what has come meanwhile. The first request has nothing in it. */
    const callAll = async () => {
      do {
        underWay = queue.splice(0, MAX_MESSAGES)
        const edits = underWay.filter(([type, kind]) => type === SYNC_MESSAGE && kind !== STEP1)
        if (edits.some(([, kind]) => kind === STEP2)) isHeld = false
        const wasHeld = isHeld
        if (edits.length > 0) isHeld = true
        request = new AbortController()
        const response = await post(underWay, '', request.signal)
        sent += edits.length
        if (response && !isOpen) {
          isOpen = true
          events.onOpen()
          probeAfter(FIRST_PROBE_MS)
        }
        const isWhole = await read(response, (type) => {
          if (type !== ACKNOWLEDGEMENT) return true
          isHeld = wasHeld
          return !wasHeld
        })
        // No other one follows.
        if (!isWhole) return fail()
        underWay = []
        if (place && !stream) void listen()
      } while (queue.length > 0 && !isLeaving)
      calls = undefined
    }

    /** Events begin where the first Step1 was answered, and go on behind the last one. */
    const listen = async () => {
      const isPolled = polled.has(server)
      const aborter = new AbortController()
      stream = aborter
      const within = (ms: number) => {
        cancelStream?.()
        cancelStream = clock.after(ms, () => {
          polled.add(server)
          aborter.abort()
        })
      }
      within(isPolled ? SILENCE_MS : BEGINNING_MS)
      const path = `events?as=messages&client=${context.clientId}${isPolled ? '&poll=1' : ''}`
      await read(await ask(path, aborter.signal), (type) => {
        if (type === undefined) within(SILENCE_MS)
        return true
      })
      cancelStream?.()
      if (hasEnded) return
      cancelStream = clock.after(isPolled ? 0 : Math.random() * REOPEN_MS, () => void listen())
    }

    /**
     * Brings the messages in an answer as they come. Resolves with whether it has come to its end.
     * @param isWanted asked for each message by its type, and before without one when something has come
     */
    const read = async (response: Response | undefined, isWanted: (type?: number) => boolean) => {
      const reader = response?.body?.getReader()
      let rest = ''
      try {
        for (let part = await reader?.read(); part; part = await reader?.read()) {
          if (part.done) return true
          isWanted()
          const parts = (rest + new TextDecoder().decode(part.value)).split('\n\n')
          rest = parts.pop() ?? ''
          for (const event of parts) {
            const { data, id, event: name } = Object.fromEntries(event.split('\n').map((line) => line.split(': ')))
            // There is but one that has a name: the document is gone.
            if (name) fail(CLOSE_CODES.GONE)
            if (hasEnded) return false
            const message = data && Uint8Array.from(atob(data), (char) => char.charCodeAt(0))
            if (message && isWanted(message[0])) events.onMessage(message)
            // What a Step1 was answered with is all that was missing up to there, whatever a stream has still to bring.
            if (id) place = id
          }
        }
      } catch {
        // It was cut. A stream goes on behind what has come.
      }
      return false
    }

    const probeAfter = (delayMs: number) => {
      cancelProbe = clock.after(delayMs, () => {
        tried?.close()
        probeAfter(Math.min(delayMs * 3, MAX_PROBE_MS))
        probe()
      })
    }

    /** One that brings something is no mere promise of a proxy: coedit's server speaks first. */
    const probe = () => {
      const early: unknown[] = []
      try {
        const socket = context.webSocket(offered, {
          onOpen: () => undefined,
          onMessage: (data) => {
            if (webSocket) events.onMessage(data)
            else if (early.push(data) === 1) void goOnAs(socket, early)
          },
          onClose: (...given) => webSocket && events.onClose(...given),
        })
        tried = socket
      } catch {
        // The runtime opens none to such an address.
      }
    }

    /** Presence is given up before it is claimed: the server cannot know that both are the same. */
    const goOnAs = async (socket: Socket, early: readonly unknown[]) => {
      isLeaving = true
      await calls
      await leave([])
      isLeaving = false
      if (hasEnded) return
      if (!socket.isOpen) {
        if (presence) send(presence)
        return
      }
      webSocket = socket
      end()
      context.onWebSocket()
      events.onOpen()
      for (const message of early) events.onMessage(message)
    }

    /** Says what is left to say. Presence gives way to whoever claims it, and vanishes a moment later. */
    const leave = (messages: readonly Message[]) =>
      post(presence ? [...messages, presence] : messages, '&leave=1', new AbortController().signal)

    /** Sends messages, each with its length before it. */
    const post = (messages: readonly Message[], query: string, signal: AbortSignal) => {
      const body = new Blob(messages.flatMap((message) => [Uint32Array.of(message.length), message]))
      const keepalive = body.size < MAX_LASTING_BYTES
      const path = `messages?sent=${sent}${context.isReadOnly ? '&access=read' : ''}${query}`
      return ask(path, signal, { method: 'POST', body, keepalive })
    }

    /** Resolves with what a coedit server answers; undefined where the socket is closed for want of that. */
    const ask = async (path: string, signal: AbortSignal, init: RequestInit = {}) => {
      const [, bearer] = offered
      const authorization = bearer && { Authorization: bearer.replace('.', ' ') }
      const headers = { 'Coedit-Client': key, 'Last-Event-ID': place, ...authorization }
      let [code, reason] = [CLOSED_ABNORMALLY, '']
      try {
        const response = await fetch(`${api}/${path}`, { ...init, headers, credentials, signal })
        if (response.headers.get('content-type')?.startsWith('text/event-stream')) return response
        if (response.status === 413) code = CLOSED_TOO_LARGE
        const { error } = await response.json()
        code = CLOSE_CODES[error.code] ?? code
        reason = error.message
      } catch {
        // There is no answer, or it is somebody else's.
      }
      // A stream that was given up here is none that has failed.
      if (!signal.aborted) fail(code, reason)
      return undefined
    }

    call()
    return {
      protocol,
      get transport() {
        return webSocket ? 'websocket' : 'http'
      },
      get isOpen() {
        return webSocket?.isOpen ?? isOpen
      },
      send: (message) => (webSocket ? webSocket.send(message) : send(message)),
      renew(token) {
        offered = [protocol, `bearer.${token}`]
        return !webSocket
      },
      close() {
        const wasOpen = isOpen
        end()
        webSocket?.close()
        if (wasOpen) void leave([...underWay, ...queue])
      },
    }
  }
}
