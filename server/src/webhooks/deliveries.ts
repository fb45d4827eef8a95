import { CoeditError, hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Meters } from '../common/meters.ts'
import { type Clock, Rounds, withDeadline } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type { CursorOutcome, CursorPlace, CursorStore } from '../storage/cursor-store.ts'
import type { Unfollow } from '../storage/document-store.ts'
import { isDue, webhookCursor } from '../storage/webhook-cursor.ts'
import { type ComposingContext, compose, composeDeletion } from './composing.ts'
import { Queue } from './queue.ts'
import { failureAfter, type Refusal } from './retrying.ts'
import type { Sender } from './sender.ts'
import { type Message, signatureHeaders } from './signature.ts'
import { isOf, type Webhook } from './webhook.ts'

/** How often it is looked for what was left untold, and for what is to be tried again, in milliseconds. */
const LOOK_MS = 2_000
/** At shutdown: how long receivers may still take. */
const CLOSE_GRACE_MS = 2_000
/** A receiver does not want to be told any more (Standard Webhooks, "Delivery success and failure"). */
const GONE = 410
const HEADERS = { 'content-type': 'application/json', 'user-agent': 'coedit' }

export interface DeliveriesContext extends ComposingContext {
  readonly config: Pick<Config, 'webhookRetryMs'>
  readonly clock: Clock
  readonly log: Log
  readonly meters: Meters
  readonly storage: CursorStore
  readonly sender: Sender
  /** Default: Math.random. */
  readonly random?: () => number
}

/** What became of an attempt: there is no message any more where its document is gone. */
type Attempt<Told> =
  | { readonly kind: 'arrived'; readonly message: Told }
  | { readonly kind: 'void' }
  | ({ readonly kind: 'failed' } & Refusal)

/** Tells webhooks what happens to documents, each from its stored cursor on. */
export class Deliveries {
  readonly #context: DeliveriesContext
  readonly #random: () => number
  #receivers: ReadonlyMap<string, Receiver> = new Map()
  /** Those that were removed, while something is under way. */
  readonly #leaving = new Set<Promise<void>>()
  readonly #rounds: Rounds
  #unwatch: Unfollow | undefined
  #isClosed = false

  constructor(context: DeliveriesContext) {
    this.#context = context
    this.#random = context.random ?? Math.random
    this.#rounds = new Rounds(context.clock, LOOK_MS, () => this.#look())
  }

  /** Tells what is untold, now and from time to time, and what is committed. */
  start(): void {
    this.#unwatch = this.#context.documents.watch({
      onCommit: (document, { isForeign }) => {
        // What others commit is told by them.
        if (!isForeign) for (const receiver of this.#of(document)) receiver.queue.committed(document)
      },
      onDeleted: (document) => {
        for (const receiver of this.#of(document)) receiver.queue.hurry(document)
      },
      onMissed: () => undefined,
    })
    this.#rounds.start()
  }

  /** Tells these from now on, and no others. */
  set(webhooks: readonly Webhook[]): void {
    if (this.#isClosed) return
    const before = this.#receivers
    this.#receivers = new Map(
      webhooks.map((webhook) => [webhook.id, before.get(webhook.id) ?? this.#receiver(webhook)]),
    )
    for (const webhook of webhooks) this.#receivers.get(webhook.id)?.be(webhook)
    for (const [id, receiver] of before) if (!this.#receivers.has(id)) this.#leave(receiver)
  }

  /** Tries again what has failed, of one document or of all. Rejects with STORAGE_CLOSED. */
  async retry(id: string, document?: string): Promise<void> {
    const { storage } = this.#context
    await storage.retry(webhookCursor(id), document)
    const receiver = this.#receivers.get(id)
    if (receiver && document !== undefined) receiver.queue.found(document)
    else if (receiver) await this.#find(receiver)
  }

  /** Begins nothing any more, and gives up in 2 s what has not ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#unwatch?.()
    const { clock, sender } = this.#context
    const receivers = [...this.#receivers.values()]
    const ended = Promise.all([...receivers.map(({ queue }) => queue.close()), ...this.#leaving, this.#rounds.stop()])
    const inTime = (onLate: () => void) => withDeadline<unknown>(clock, CLOSE_GRACE_MS, () => ended, onLate)
    await inTime(() => sender.close())
    // What waits for a storage that does not answer ends when that is closed.
    await inTime(() => undefined)
  }

  #of(document: string): readonly Receiver[] {
    return [...this.#receivers.values()].filter(({ webhook }) => isOf(document, webhook))
  }

  #receiver(webhook: Webhook): Receiver {
    return new Receiver(webhook, this.#context.clock, (receiver, document) => this.#deliver(receiver, document))
  }

  #leave({ queue }: Receiver): void {
    const leaving = queue.close().finally(() => this.#leaving.delete(leaving))
    this.#leaving.add(leaving)
  }

  async #look(): Promise<void> {
    const { log } = this.#context
    try {
      for (const receiver of this.#receivers.values()) await this.#find(receiver)
    } catch (error) {
      if (!this.#isClosed) log.warn({ err: error }, 'it could not be looked up what webhooks are to be told')
    }
  }

  async #find({ webhook, queue }: Receiver): Promise<void> {
    if (queue.room === 0 || this.#isClosed) return
    const untold = await this.#context.storage.untold(webhookCursor(webhook.id), queue.room)
    for (const document of untold) queue.found(document)
  }

  async #deliver({ webhook, queue }: Receiver, document: string): Promise<void> {
    try {
      const outcome = await this.#tell(webhook, document)
      if (outcome === 'behind') queue.committed(document)
    } catch (error) {
      // Its cursor stands where it stood, and is found again.
      const facts = { err: error, webhook: webhook.id, document }
      if (!this.#isClosed) this.#context.log.warn(facts, 'a webhook could not be told')
    }
  }

  /** Tells what comes next. Resolves 'behind' where something is left that can be told. */
  async #tell(webhook: Webhook, document: string): Promise<CursorOutcome> {
    const { storage, clock } = this.#context
    const cursor = webhookCursor(webhook.id)
    const place = await storage.claim(cursor, document)
    if (!place || !isDue(place.failure, clock.now())) return 'lost'
    if (place.deletedAt !== undefined) {
      const message = composeDeletion(webhook, document, place.deletedAt)
      const told = await this.#attempt(webhook, document, place, async () => message)
      return told ? storage.toldDeletion(cursor, document, place.deletedAt) : 'lost'
    }
    const isNew = place.seq === 0 && webhook.events.includes('document.created')
    const event = isNew ? 'document.created' : 'document.changed'
    if (!webhook.events.includes(event)) return this.#skip(cursor, document)
    const beginning = { document, event, after: place.seq } as const
    const told = await this.#attempt(webhook, document, place, () => compose(webhook, beginning, this.#context))
    return told ? storage.advance(cursor, document, told.at.position, told.at.incarnation) : 'lost'
  }

  /** Moves over what this webhook is not told of. */
  async #skip(cursor: string, document: string): Promise<CursorOutcome> {
    const { documents, storage } = this.#context
    const { position, incarnation } = await documents.place(document)
    return storage.advance(cursor, document, position, incarnation)
  }

  /** Resolves with the message where it has arrived; notes why, where it has not. */
  async #attempt<Told extends Message>(
    webhook: Webhook,
    document: string,
    { failure: before, deletedAt }: CursorPlace,
    compose: () => Promise<Told | undefined>,
  ): Promise<Told | undefined> {
    const { clock, config, log, meters, storage } = this.#context
    const startedAt = clock.now()
    const attempt = await this.#post(webhook, compose)
    if (attempt.kind === 'void') return undefined
    if (attempt.kind === 'arrived') {
      meters.webhookDelivered(clock.now() - startedAt)
      return attempt.message
    }
    const failure = failureAfter(before, attempt, clock.now(), config, this.#random())
    const isParked = failure.retryAt === null
    const facts = { webhook: webhook.id, document, ...failure }
    if (!(await storage.postpone(webhookCursor(webhook.id), document, failure, deletedAt))) return undefined
    meters.webhookFailed(isParked)
    if (isParked) log.warn(facts, 'a webhook is told no more of a document until somebody asks for it')
    else log.debug(facts, 'a webhook could not be told of a document, and is tried again')
    return undefined
  }

  /** Rejects where the server closes. */
  async #post<Told extends Message>(
    webhook: Webhook,
    compose: () => Promise<Told | undefined>,
  ): Promise<Attempt<Told>> {
    const { clock, sender } = this.#context
    try {
      const message = await compose()
      if (!message) return { kind: 'void' }
      const headers = { ...HEADERS, ...signatureHeaders(webhook, message, clock.now()) }
      const { status, retryAfterMs } = await sender.send({ url: webhook.url, headers, body: message.body })
      if (status >= 200 && status < 300) return { kind: 'arrived', message }
      const isRedirect = status >= 300 && status < 400
      const reason = `it answered ${status}${isRedirect ? ', and is not followed' : ''}`
      return { kind: 'failed', reason, retryAfterMs, isFinal: status === GONE }
    } catch (error) {
      if (hasCode(error, 'GONE')) return { kind: 'void' }
      if (hasCode(error, 'SERVER_CLOSED') || hasCode(error, 'STORAGE_CLOSED')) throw error
      return { kind: 'failed', reason: reasonOf(error) }
    }
  }
}

/** A webhook, and what it is to be told. */
class Receiver {
  readonly queue: Queue
  #webhook: Webhook

  constructor(webhook: Webhook, clock: Clock, deliver: (receiver: Receiver, document: string) => Promise<void>) {
    this.#webhook = webhook
    this.queue = new Queue(
      clock,
      () => this.#webhook,
      (document) => deliver(this, document),
    )
  }

  get webhook(): Webhook {
    return this.#webhook
  }

  /** Goes on as the same with other wishes. */
  be(webhook: Webhook): void {
    this.#webhook = webhook
  }
}

/** For whoever administrates the webhook, who is not told of the content of documents. */
function reasonOf(error: unknown): string {
  if (error instanceof CoeditError) return `${error.message} (${error.code})`
  return error instanceof Error ? error.message : String(error)
}
