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
import type { OpenSocket, Socket } from './socket.ts'

/** What there is to say about one socket. */
export interface WireEvents {
  /** It is open, or goes on by another transport. */
  onOpen(transport: Socket['transport']): void
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
  readonly protocols: readonly string[]
  readonly open: OpenSocket
  readonly doc: Y.Doc
  readonly awareness: Awareness
  readonly clock: Clock
  /** The origin of the transactions with what comes in. */
  readonly origin: unknown
}

/** One socket from its opening to its end: exchanges a document's edits and presence over it. */
export class Wire {
  readonly #context: WireContext
  #socket: Socket
  #ledger = new Ledger()
  #taken: Promise<unknown> = Promise.resolve()
  #hasEnded = false

  /** Throws as `OpenSocket` does. */
  static open(context: WireContext): Wire {
    const wire = new Wire(context)
    wire.#start()
    return wire
  }

  constructor(context: WireContext) {
    this.#context = context
    this.#socket = context.open(context.protocols, {
      onOpen: (successor) => this.#onOpen(successor),
      // Whatever of the application throws, it must not end the socket.
      onMessage: (data) => isolate(() => this.#onMessage(data)),
      onClose: (code, reason) => this.#end(code, reason),
    })
  }

  get transport(): Socket['transport'] {
    return this.#socket.transport
  }

  /** Sends a Step1, which every server answers. */
  probe(): void {
    this.#send(Y.encodeStateVector(this.#context.doc), MESSAGE.sync, SYNC.step1)
  }

  /** Goes on under another token. Other servers than coedit's are not told, and would not know what it is. */
  renew(token: string): void {
    if (this.#socket.renew) this.#socket.renew(token)
    else if (this.#socket.protocol === SUBPROTOCOL) this.#send(new TextEncoder().encode(token), MESSAGE.token)
  }

  close(): void {
    this.#end(0, '')
    this.#socket.close()
  }

  #start(): void {
    const { doc, awareness } = this.#context
    doc.on('update', this.#onUpdate)
    awareness.on('update', this.#onPresence)
  }

  #end(code: number, reason: string): void {
    const { doc, awareness, onClose } = this.#context
    this.#hasEnded = true
    doc.off('update', this.#onUpdate)
    awareness.off('update', this.#onPresence)
    this.#forgetPeers()
    onClose(code, reason)
  }

  #onOpen(socket = this.#socket): void {
    const { awareness, onOpen } = this.#context
    this.#socket = socket
    this.#ledger = new Ledger()
    onOpen(socket.transport)
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
        (bytes) => this.#hasEnded || isolate(() => this.#take(bytes)),
        // Without this message the rest of the connection is worth nothing; the next one brings it all.
        () => this.#hasEnded || this.close(),
      )
  }

  #take(bytes: Uint8Array): void {
    const { onReceived, onPermissionDenied, onRefused, onNode } = this.#context
    onReceived()
    const message = createDecoder(bytes)
    const type = readVarUint(message)
    if (type === MESSAGE.sync) this.#onSync(message)
    else if (type === MESSAGE.awareness) this.#show(readVarUint8Array(message))
    else if (type === MESSAGE.auth) onPermissionDenied()
    else if (type === MESSAGE.acknowledgement) this.#onAcknowledgement(readVarUint(message))
    else if (type === MESSAGE.refusal) onRefused(readVarUint(message))
    else if (type === MESSAGE.node) onNode(readVarString(message))
  }

  /** A server that does not know yet that this editor is the one it shows may show an older state of it. */
  #show(presence: Uint8Array): void {
    const { awareness, origin } = this.#context
    const own = awareness.getLocalState()
    applyAwarenessUpdate(awareness, presence, origin)
    if (awareness.getLocalState() !== own) awareness.setLocalState(own)
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
    if (!this.#socket.isOpen) {
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
    if (!this.#socket.isOpen) return
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
