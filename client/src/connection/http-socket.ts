import type { Doc } from 'yjs'
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

/** What a WebSocket would be closed with, by the code of an error; or by a status, which proxies answer with as well. */
const CLOSE_CODES: Readonly<Record<string, number>> = {
  DOCUMENT_NAME: 4400,
  UNAUTHORIZED: 4401,
  FORBIDDEN: 4403,
  GONE: 4404,
  413: 1009,
}

const CLOSED_ABNORMALLY = 1006

type Message = Uint8Array<ArrayBuffer>
type Answer = ReadableStreamDefaultReader<Uint8Array>

/** Servers whose events are kept back on the way until the answer ends; for the whole page. */
const polled = new Set<string>()

export interface HttpSocketContext {
  readonly clock: Clock
  /** The server's address. */
  readonly server: string
  /** That of the document's API. */
  readonly api: string
  readonly isReadOnly: boolean
  /** Its `guid` is a secret of this page, by which the server knows it again. */
  readonly doc: Pick<Doc, 'clientID' | 'guid'>
  readonly credentials: RequestCredentials
  readonly webSocket: OpenSocket
}

/**
 * Opens a socket where WebSockets are blocked: messages go to the server in requests, one after the other, and come from it in
 * their answers and by an event stream. Nothing is lost with a request that fails, since all that was not acknowledged comes
 * again with the next Step2, and nothing is doubled by one whose answer alone is lost, since Yjs takes an edit once. From time
 * to time it tries a WebSocket, which takes its place. It is no class, in which every name would be sent to the browser.
 */
export function httpSocket(context: HttpSocketContext): OpenSocket {
  return (protocols, events) => {
    const { server, api, doc, clock } = context
    const [protocol = ''] = protocols
    /** The protocol, and one with the token, if there is any. */
    let offered = protocols
    let isOpen = false
    /** Aborted when nothing more is to come by HTTP. */
    const ended = new AbortController()
    const { signal } = ended
    /** The present event stream; undefined before the server has answered a Step1. */
    let stream: AbortController | undefined
    /** Whether a request is under way, or follows at once. */
    let isCalling = false
    /** What the server is not known to have taken, in order. */
    const waiting = new Set<Message>()
    let presence: Message | undefined
    /** Messages with edits that were sent. */
    let sent = 0
    /** Whether all that the last request has brought of these was taken. */
    let isTaken = true
    /** Whether some that came before were not, and have to come again with a Step2. */
    let isHeld = false
    /** Up to where events have come. */
    let place = ''
    let cancelProbe: Cancel | undefined
    let cancelStream: Cancel | undefined
    /** The WebSocket that is tried, and what it has brought. */
    let tried: Socket | undefined
    let brought: unknown[] = []

    const end = () => {
      isOpen = false
      ended.abort()
      stream?.abort()
      cancelProbe?.()
      cancelStream?.()
      tried?.close()
    }

    const fail = (code = CLOSED_ABNORMALLY, reason = '') => {
      if (signal.aborted) return
      end()
      events.onClose(code, reason)
    }

    /** Sends what there is, and then what has come meanwhile. The first request has nothing in it. */
    const call = async () => {
      if (isCalling) return
      isCalling = true
      do {
        // Before a WebSocket claims the presence it is given up: the server cannot know that both are the same.
        const isLast = brought.length > 0
        const messages = next(isLast)
        const edits = messages.filter(([type, kind]) => type === SYNC_MESSAGE && kind !== STEP1)
        if (edits.some(([, kind]) => kind === STEP2)) isHeld = false
        isTaken = edits.length === 0
        const answer = await post(messages, isLast, signal)
        sent += edits.length
        if (answer && !isOpen) {
          isOpen = true
          events.onOpen()
          probeAfter(FIRST_PROBE_MS)
        }
        // No other one follows.
        if (!(await read(answer))) return fail()
        isHeld ||= !isTaken
        for (const message of messages) waiting.delete(message)
        if (isLast && goOn()) return
        if (place && !stream) void listen()
      } while (waiting.size > 0 || brought.length > 0)
      isCalling = false
    }

    /** What is to be sent next, with the presence where that is the last time. */
    const next = (isLast: boolean) => {
      if (isLast && presence) waiting.add(presence)
      return [...waiting].slice(0, MAX_MESSAGES)
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
      const path = `events?as=messages&client=${doc.clientID}${isPolled ? '&poll=1' : ''}`
      await read(await ask(path, aborter.signal), () => within(SILENCE_MS))
      cancelStream?.()
      if (signal.aborted) return
      cancelStream = clock.after(isPolled ? 0 : Math.random() * REOPEN_MS, () => void listen())
    }

    /**
     * Brings the messages in an answer as they come. Resolves with whether it has come to its end.
     * @param onPart called when something has come
     */
    const read = async (answer?: Answer, onPart?: () => void) => {
      let rest = ''
      try {
        for (let part = await answer?.read(); part; part = await answer?.read()) {
          if (part.done) return true
          onPart?.()
          const parts = (rest + new TextDecoder().decode(part.value)).split('\n\n')
          rest = parts.pop() ?? ''
          for (const event of parts) {
            const { data, id, event: name } = Object.fromEntries(event.split('\n').map((line) => line.split(': ')))
            // There is but one that has a name: the document is gone.
            if (name) fail(CLOSE_CODES.GONE)
            if (signal.aborted) return false
            if (data) bring(Uint8Array.from(atob(data), (char) => char.charCodeAt(0)))
            // What a Step1 was answered with is all that was missing up to there, whatever a stream has still to bring.
            if (id) place = id
          }
        }
      } catch {
        // It was cut. A stream goes on behind what has come.
      }
      return false
    }

    /** Until a Step2 has brought again what was not taken, nothing is known to be durable by an acknowledgement. */
    const bring = (message: Message) => {
      const isAcknowledgement = message[0] === ACKNOWLEDGEMENT
      isTaken ||= isAcknowledgement
      if (!isHeld || !isAcknowledgement) events.onMessage(message)
    }

    /** Tries a WebSocket. One that brings something is no mere promise of a proxy: coedit's server speaks first. */
    const probeAfter = (delayMs: number) => {
      cancelProbe = clock.after(delayMs, () => {
        probeAfter(Math.min(delayMs * 3, MAX_PROBE_MS))
        tried?.close()
        brought = []
        try {
          tried = context.webSocket(offered, {
            onOpen: () => undefined,
            onMessage: (data) => {
              if (signal.aborted) return events.onMessage(data)
              brought.push(data)
              void call()
            },
            onClose: (...given) => signal.aborted && events.onClose(...given),
          })
        } catch {
          // The runtime opens none to such an address.
        }
      })
    }

    /** Lets the WebSocket go on, if it is still there, and tells whether it does. */
    const goOn = () => {
      const socket = tried
      if (!socket?.isOpen) {
        brought = []
        if (presence) waiting.add(presence)
        return false
      }
      tried = undefined
      end()
      events.onOpen(socket)
      for (const message of brought) events.onMessage(message)
      return true
    }

    /**
     * Sends messages, each with its length before it.
     * @param isLast presence gives way then to whoever claims it, and vanishes a moment later
     */
    const post = (messages: readonly Message[], isLast: boolean, givenUp: AbortSignal | null) => {
      const query = `sent=${sent}${context.isReadOnly ? '&access=read' : ''}${isLast ? '&leave=1' : ''}`
      const body = new Blob(messages.flatMap((message) => [Uint32Array.of(message.length), message]))
      return ask(`messages?${query}`, givenUp, body)
    }

    /** Resolves with the answer of a coedit server; undefined where the socket is closed for want of that. */
    const ask = async (path: string, givenUp: AbortSignal | null, body: Blob | null = null) => {
      const [, bearer] = offered
      const authorization = bearer && { Authorization: bearer.replace('.', ' ') }
      let code: number | undefined
      let reason: string | undefined
      try {
        const response = await fetch(`${api}/${path}`, {
          method: body ? 'POST' : 'GET',
          headers: { 'Coedit-Client': doc.guid, 'Last-Event-ID': place, ...authorization },
          body,
          keepalive: body !== null && body.size < MAX_LASTING_BYTES,
          credentials: context.credentials,
          signal: givenUp,
        })
        if (response.headers.get('content-type')?.includes('event-stream')) return response.body?.getReader()
        code = CLOSE_CODES[response.status]
        const { error } = await response.json()
        code ??= CLOSE_CODES[error.code]
        reason = error.message
      } catch {
        // There is no answer, or it is somebody else's.
      }
      // A stream that was given up here is none that has failed.
      if (!givenUp?.aborted) fail(code, reason)
      return undefined
    }

    void call()
    return {
      transport: 'http',
      protocol,
      get isOpen() {
        return isOpen
      },
      send(message) {
        if (message[0] === PRESENCE_MESSAGE) {
          // Of several that wait only the last one counts.
          if (presence) waiting.delete(presence)
          presence = message
        }
        waiting.add(message)
        void call()
      },
      renew(token) {
        offered = [protocol, `bearer.${token}`]
      },
      close() {
        const wasOpen = isOpen
        end()
        if (wasOpen) void post(next(true), true, null)
      },
    }
  }
}
