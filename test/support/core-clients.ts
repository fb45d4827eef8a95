import * as Y from 'yjs'
import type { Cursor } from '../../server/src/document/cursor.ts'
import type { Documents } from '../../server/src/document/documents.ts'
import type { Author, Flush } from '../../server/src/document/subscriber.ts'
import { Acknowledgements } from '../../server/src/peers/acknowledgements.ts'
import { scanUpdate } from '../../server/src/protocol/update/update.ts'
import { Editor } from './editing.ts'
import type { Random } from './random.ts'

const FROM_SERVER = 'server'
const FROM_TAB = 'tab'

type Message = { readonly type: 'step1' | 'step2' | 'update'; readonly bytes: Uint8Array }

/** A y-websocket client, as far as documents go. It may be connected to any server, or to none. */
export class Client {
  readonly doc: Y.Doc
  readonly editor: Editor
  link: Link | undefined

  constructor(id: number, random: Random) {
    this.doc = new Y.Doc({ gc: random.chance(0.7) })
    this.doc.clientID = id
    this.editor = new Editor(this.doc, random)
    this.doc.on('update', (bytes: Uint8Array, origin: unknown) => {
      if (origin !== FROM_SERVER && origin !== FROM_TAB) this.link?.send({ type: 'update', bytes })
    })
  }

  get clock(): number {
    return Y.getState(this.doc.store, this.doc.clientID)
  }

  /** Has what another one has, past the servers, as tabs of one browser do; it is not sent on. */
  receiveFrom({ doc }: Client): void {
    Y.applyUpdate(this.doc, Y.encodeStateAsUpdate(doc), FROM_TAB)
  }

  receive({ type, bytes }: Message): void {
    if (type !== 'step1') Y.applyUpdate(this.doc, bytes, FROM_SERVER)
    else this.link?.send({ type: 'step2', bytes: Y.encodeStateAsUpdate(this.doc, bytes) })
  }
}

/** One connection: what is on its way, and what a session does about it. */
export class Link implements Author {
  readonly isLimited = true
  readonly client: Client
  readonly toServer: Message[] = []
  readonly toClient: Message[] = []
  /** The client's own clock when it sent each message that counts. */
  readonly #sent: number[] = []
  readonly #acknowledgements = new Acknowledgements()
  readonly #promise: (clientId: number, clock: number) => void
  #cursor: Cursor | undefined
  #awaitsStep2 = true
  #acknowledged = 0
  isCut = false

  constructor(client: Client, promise: (clientId: number, clock: number) => void) {
    this.client = client
    this.#promise = promise
  }

  /** Whether all that was sent is acknowledged, nothing is on its way, and the client has all up to `head`. */
  isQuiet(head: number | undefined): boolean {
    const isEmpty = this.toServer.length === 0 && this.toClient.length === 0
    return isEmpty && this.#cursor?.position === head && this.#acknowledged === this.#sent.length
  }

  async open({ documents }: { readonly documents: Documents }, document: string): Promise<void> {
    const cursor = await documents.join(document, {
      onFlush: (flush) => this.#flushed(flush),
      onEnd: () => this.cut(),
    })
    if (this.isCut) return cursor.release()
    this.#cursor = cursor
    this.toClient.push({ type: 'step1', bytes: cursor.document.encodeStateVector() })
    this.toServer.push({ type: 'step1', bytes: Y.encodeStateVector(this.client.doc) })
  }

  send(message: Message): void {
    if (message.type !== 'step1') this.#sent.push(this.client.clock)
    this.toServer.push(message)
  }

  /** The server takes the next message. */
  async take(): Promise<void> {
    const cursor = this.#cursor
    if (!cursor || cursor.isBusy) return
    const message = this.toServer.shift()
    if (!message) return
    if (message.type === 'step1') {
      await cursor.answer(message.bytes)
      this.#pass(cursor)
      return
    }
    const { ticket, complete } = cursor.document.submit(message.bytes, this)
    if (message.type === 'step2') {
      this.#awaitsStep2 = false
      this.#acknowledgements.step2(ticket)
    } else {
      this.#acknowledgements.update(ticket, complete)
      if (!complete && !this.#awaitsStep2) {
        this.#awaitsStep2 = true
        this.toClient.push({ type: 'step1', bytes: cursor.document.encodeStateVector() })
      }
    }
    this.#acknowledge(cursor)
  }

  cut(): void {
    this.isCut = true
    if (this.client.link === this) this.client.link = undefined
    this.#cursor?.release()
  }

  #flushed(flush: Flush): void {
    const cursor = this.#cursor
    if (!cursor) return
    this.#acknowledge(cursor)
    if (cursor.follow(flush)) {
      if (flush.author === this) return
      for (const { update } of flush.pieces) this.toClient.push({ type: 'update', bytes: update })
    } else if (cursor.isBehind && !cursor.isBusy) void cursor.read().then(() => this.#pass(cursor))
  }

  #pass(cursor: Cursor): void {
    for (const { update } of cursor.rest()) this.toClient.push({ type: 'update', bytes: update })
    if (cursor.isBehind) void cursor.read().then(() => this.#pass(cursor))
  }

  #acknowledge({ document }: Cursor): void {
    const count = this.#acknowledgements.next(document.durableTicket)
    if (count === undefined) return
    this.#acknowledged = count
    this.#promise(this.client.doc.clientID, Math.max(0, ...this.#sent.slice(0, count)))
  }
}

/** Sends what no honest client does: repeats, parts, holes and rubbish. None of it may harm anybody. */
export function hostileUpdate({ doc }: Client, random: Random): Uint8Array {
  const whole = Y.encodeStateAsUpdate(doc)
  if (random.chance(0.4)) return whole
  if (random.chance(0.5)) {
    const { sections } = scanUpdate(whole)
    const from = new Map(sections.map(({ client, end }) => [client, random.below(end + 1)]))
    return Y.encodeStateAsUpdate(doc, Y.encodeStateVector(from))
  }
  return whole.subarray(0, random.below(whole.length))
}
