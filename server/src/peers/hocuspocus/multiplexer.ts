import { CoeditError } from '../../common/errors.ts'
import type { EndReason } from '../../document/subscriber.ts'
import { KEYLESS_KEEP_ALIVE, KeyedFrames, readContent, readKey } from '../../protocol/wire/hocuspocus.ts'
import { MESSAGE, SYNC } from '../../protocol/wire/messages.ts'
import type { ChannelUser } from '../channel.ts'
import { CLOSE, type Close, closeFor } from '../close-codes.ts'
import { Attachment, type AttachmentContext } from './attachment.ts'
import { OfflineQueue } from './offline-queue.ts'

/** The id of a session behind the name of a document, with what stands between; those of providers have 12 bytes. */
const MAX_SESSION_BYTES = 64
/** So many denials of a socket are told at once: pages that show several documents may be refused some of them. */
const PROMPT_DENIALS = 10

export interface MultiplexerContext
  extends Omit<AttachmentContext, 'queue' | 'room' | 'close' | 'denialDelayMs' | 'closeLater'> {
  /** Closes the socket as late as one that is refused. To be called once. */
  closeLater(close: Close): void
}

/** A socket of @hocuspocus/provider, over which any number of documents go, each with a session of its own. */
export class Multiplexer implements ChannelUser {
  readonly #context: MultiplexerContext
  readonly #attached: AttachmentContext
  readonly #attachments = new Map<string, Attachment>()
  readonly #queue = new OfflineQueue()
  #denials = 0
  #isEnding = false

  constructor(context: MultiplexerContext) {
    this.#context = context
    this.#attached = {
      ...context,
      queue: this.#queue,
      room: { left: context.config.maxFirstMessageBytes },
      close: (close) => this.#close(close),
      closeLater: (close) => this.#closeLater(close),
      denialDelayMs: () => (this.#denials++ < PROMPT_DENIALS ? 0 : context.retryDelayMs()),
    }
  }

  start(): void {
    this.#context.socket.start(this, Promise.resolve())
  }

  get isCongested(): boolean {
    for (const attachment of this.#attachments.values()) if (attachment.isCongested) return true
    return false
  }

  /** To be called about once a second. */
  tick(now: number): void {
    // To send the first frame has a client send what it edited while the socket was down.
    this.#context.socket.tick(now, this.#queue.isSilent ? undefined : KEYLESS_KEEP_ALIVE)
    for (const attachment of this.#attachments.values()) attachment.tick(now)
  }

  /** Ends with the server: nobody is told that this one is gone. */
  end(reason: Exclude<EndReason, 'deleted'>): void {
    this.#isEnding = true
    for (const attachment of this.#attachments.values()) attachment.endSession(reason)
    this.#context.socket.close(CLOSE[reason])
  }

  receive(bytes: Uint8Array): Promise<void> | undefined {
    // The answer to a ping, which has no key.
    if (this.#isEnding || bytes.length === 1) return undefined
    try {
      const { key, message } = readKey(bytes)
      if (key === '') {
        this.#refuseForeign()
        return undefined
      }
      const content = readContent(message)
      if (content.type === 'close') this.#detach(key)
      else {
        const isToken = content.type === 'token'
        const attachment = this.#attachments.get(key) ?? this.#attach(key, isToken, message)
        return attachment?.receive(message, content)
      }
    } catch (error) {
      this.#context.log.debug({ err: error }, 'closed a connection')
      this.#closeLater(closeFor(error))
    }
    return undefined
  }

  drained(): void {
    // Who was served goes to the end, as one alone may fill the buffer each time.
    for (const [key, attachment] of [...this.#attachments]) {
      if (!this.#context.socket.writer.isWritable) return
      this.#attachments.delete(key)
      this.#attachments.set(key, attachment)
      attachment.drained()
    }
  }

  left(): void {
    for (const attachment of this.#attachments.values()) attachment.left()
  }

  emptied(): void {
    for (const attachment of this.#attachments.values()) attachment.end()
    this.#attachments.clear()
  }

  /** What is neither a token nor a Step1 comes late for a document that the client has closed. */
  #attach(key: string, isToken: boolean, message: Uint8Array): Attachment | undefined {
    const { config, socket } = this.#context
    if (!isToken && !isStep1(message)) return undefined
    const isTooLong = Buffer.byteLength(key) > config.maxNameBytes + MAX_SESSION_BYTES
    if (isTooLong || this.#attachments.size >= config.maxDocumentsPerSocket) {
      const reason = isTooLong ? 'the document name is too long' : 'the connection has as many documents as it may have'
      if (isToken) socket.offer(new KeyedFrames(key).denied(reason))
      return undefined
    }
    const attachment = new Attachment(key, this.#attached)
    this.#attachments.set(key, attachment)
    return attachment
  }

  #detach(key: string): void {
    this.#attachments.get(key)?.end()
    this.#attachments.delete(key)
  }

  /** Every y-websocket client begins with a zero, and a key is never empty. */
  #refuseForeign(): void {
    const error = new CoeditError(
      'DOCUMENT_NAME',
      'this is the address for @hocuspocus/provider; one of y-websocket ends with the name of a document',
    )
    this.#context.mistaken(error)
    this.#closeLater(closeFor(error))
  }

  #close(close: Close): void {
    if (!this.#isEnding) this.#context.socket.close(close)
  }

  #closeLater(close: Close): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#context.closeLater(close)
  }
}

function isStep1(message: Uint8Array): boolean {
  return message[0] === MESSAGE.sync && message[1] === SYNC.step1
}
