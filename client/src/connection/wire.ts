import { createDecoder, type Decoder, readVarString, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { createEncoder, toUint8Array, writeVarUint, writeVarUint8Array } from 'lib0/encoding'
import {
  type Awareness,
  applyAwarenessUpdate,
  encodeAwarenessUpdate,
  removeAwarenessStates,
} from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { Clock } from '../common/clock.ts'
import { isolate } from '../common/listeners.ts'
import { Ledger } from './acknowledgement.ts'
import { MESSAGE, SUBPROTOCOL, SYNC } from './messages.ts'
import { bytesOf } from './received.ts'

/** The `readyState` of an open socket. Not every WebSocket class has the constant. */
const OPEN = 1

/** What there is to say about one socket. */
export interface WireEvents {
  onOpen(): void
  onSent(bytes: number): void
  /** Any message has come. */
  onReceived(): void
  /** The server's content has come. */
  onSynced(): void
  /** An update that was timed is durable on the server, so many milliseconds after it was sent. */
  onTimed(saveTime: number): void
  /** All that the document holds is durable on the server. */
  onSaved(): void
  /** The server asks for edits, and so takes them. */
  onWritable(): void
  /** The server takes no edits. */
  onPermissionDenied(): void
  /** The server has refused something of a kind in `REFUSAL`, or in that of a later server. */
  onRefused(kind: number): void
  /** The server says which of several it is. */
  onNode(name: string): void
  /** The socket is closed, by the other end with its code and reason, by this one or by the network with others. */
  onClose(code: number, reason: string): void
}

export interface WireContext extends WireEvents {
  readonly url: string
  readonly protocols: string[]
  readonly WebSocket: typeof WebSocket
  readonly doc: Y.Doc
  readonly awareness: Awareness
  readonly clock: Clock
  /** The origin of the transactions with what comes in. */
  readonly origin: unknown
}

/** One WebSocket from its opening to its end: exchanges a document's edits and presence over it. */
export class Wire {
  readonly #context: WireContext
  readonly #socket: WebSocket
  readonly #ledger = new Ledger()
  #taken: Promise<unknown> = Promise.resolve()

  /** Throws what the WebSocket class throws: a SecurityError for an address without TLS in a page of HTTPS. */
  static open(context: WireContext): Wire {
    const wire = new Wire(context, new context.WebSocket(context.url, context.protocols))
    wire.#start()
    return wire
  }

  constructor(context: WireContext, socket: WebSocket) {
    this.#context = context
    this.#socket = socket
  }

  /** Sends a Step1, which every server answers. */
  probe(): void {
    this.#send(Y.encodeStateVector(this.#context.doc), MESSAGE.sync, SYNC.step1)
  }

  /** Goes on under another token. Other servers than coedit's are not told, and would not know what it is. */
  renew(token: string): void {
    if (this.#socket.protocol === SUBPROTOCOL) this.#send(new TextEncoder().encode(token), MESSAGE.token)
  }

  close(): void {
    this.#end(0, '')
    this.#socket.close()
  }

  #start(): void {
    const { doc, awareness } = this.#context
    const socket = this.#socket
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => this.#onOpen()
    socket.onmessage = ({ data }) => this.#onMessage(data)
    socket.onclose = ({ code, reason }) => this.#end(code, reason)
    // An error event says nothing that the close event does not; in Node one without a listener would end the process.
    socket.onerror = () => undefined
    doc.on('update', this.#onUpdate)
    awareness.on('update', this.#onPresence)
  }

  #end(code: number, reason: string): void {
    const { doc, awareness, onClose } = this.#context
    const socket = this.#socket
    socket.onopen = null
    socket.onmessage = null
    socket.onclose = null
    doc.off('update', this.#onUpdate)
    awareness.off('update', this.#onPresence)
    this.#forgetPeers()
    onClose(code, reason)
  }

  #onOpen(): void {
    const { awareness, onOpen } = this.#context
    onOpen()
    this.probe()
    // Setting the state sends it with a higher clock: who saw this editor leave ignores the old one, and everybody a 0.
    const state = awareness.getLocalState()
    if (state !== null) awareness.setLocalState(state)
  }

  #onMessage(data: unknown): void {
    const bytes = bytesOf(data)
    if (bytes instanceof Uint8Array) this.#take(bytes)
    else if (bytes) this.#takeInOrder(bytes)
  }

  /** A Blob may be read sooner than the one before it. */
  #takeInOrder(reading: Promise<Uint8Array>): void {
    this.#taken = this.#taken
      .then(() => reading)
      .then(
        (bytes) => this.#socket.onmessage && isolate(() => this.#take(bytes)),
        // Without this message the rest of the connection is worth nothing; the next one brings it all.
        () => this.#socket.close(),
      )
  }

  #take(bytes: Uint8Array): void {
    const { awareness, origin, onReceived, onPermissionDenied, onRefused, onNode } = this.#context
    onReceived()
    const message = createDecoder(bytes)
    const type = readVarUint(message)
    if (type === MESSAGE.sync) this.#onSync(message)
    else if (type === MESSAGE.awareness) applyAwarenessUpdate(awareness, readVarUint8Array(message), origin)
    else if (type === MESSAGE.auth) onPermissionDenied()
    else if (type === MESSAGE.acknowledgement) this.#onAcknowledgement(readVarUint(message))
    else if (type === MESSAGE.refusal) onRefused(readVarUint(message))
    else if (type === MESSAGE.node) onNode(readVarString(message))
  }

  #onAcknowledgement(count: number): void {
    const { clock, onTimed, onSaved } = this.#context
    const saveTime = this.#ledger.acknowledge(count, clock.now())
    if (saveTime !== undefined) onTimed(saveTime)
    if (this.#ledger.settled) onSaved()
  }

  #onSync(message: Decoder): void {
    const { doc, origin, onSynced, onWritable } = this.#context
    const kind = readVarUint(message)
    const content = readVarUint8Array(message)
    if (kind === SYNC.step1) {
      onWritable()
      this.#send(Y.encodeStateAsUpdate(doc, content), MESSAGE.sync, SYNC.step2)
      this.#ledger.sentStep2()
      return
    }
    // Observers of the application may throw.
    isolate(() => Y.applyUpdate(doc, content, origin))
    if (kind === SYNC.step2) onSynced()
  }

  readonly #onUpdate = (update: Uint8Array, origin: unknown): void => {
    if (origin === this.#context.origin) return
    if (this.#socket.readyState !== OPEN) {
      this.#ledger.missedUpdate()
      return
    }
    this.#send(update, MESSAGE.sync, SYNC.update)
    this.#ledger.sentUpdate(this.#context.clock.now())
  }

  /** Only this editor's own presence is sent: others speak for themselves. */
  readonly #onPresence = (changes: Record<'added' | 'updated' | 'removed', number[]>): void => {
    const { awareness, doc } = this.#context
    const changed = [...changes.added, ...changes.updated, ...changes.removed]
    if (changed.includes(doc.clientID)) this.#send(encodeAwarenessUpdate(awareness, [doc.clientID]), MESSAGE.awareness)
  }

  #send(content: Uint8Array, ...types: number[]): void {
    if (this.#socket.readyState !== OPEN) return
    const message = createEncoder()
    for (const type of types) writeVarUint(message, type)
    writeVarUint8Array(message, content)
    this.#socket.send(toUint8Array(message))
    this.#context.onSent(content.length)
  }

  /** What is not forgotten would be ignored when the server tells of it again, by clocks that have not moved. */
  #forgetPeers(): void {
    const { awareness, doc, origin } = this.#context
    const peers = [...awareness.meta.keys()].filter((id) => id !== doc.clientID)
    removeAwarenessStates(awareness, peers, origin)
    for (const id of peers) awareness.meta.delete(id)
  }
}
