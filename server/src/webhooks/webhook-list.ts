import { CoeditError, hasCode } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import { Serial } from '../common/serial.ts'
import type { Clock } from '../common/timing.ts'
import type { DocumentEvent, Told } from '../document/told.ts'
import type { Unfollow } from '../storage/document-store.ts'
import { webhookCursor } from '../storage/webhook-cursor.ts'
import type { WebhookStore } from '../storage/webhook-store.ts'
import { decodeWebhook, encodeWebhook, isToldOf, newWebhook, type Webhook, type Wish } from './webhook.ts'

/** Each commit looks at all of them. */
const MAX_WEBHOOKS = 100

export interface WebhookListContext {
  readonly clock: Clock
  readonly log: Log
  readonly storage: WebhookStore
}

/** All webhooks, as they are stored: those of the API, and those of the configuration. */
export class WebhookList implements Told {
  readonly #context: WebhookListContext
  readonly #writes = new Serial()
  #all: readonly Webhook[] = []
  #onChange: () => void = () => undefined
  #unfollow: Unfollow | undefined
  #isClosed = false

  constructor(context: WebhookListContext) {
    this.#context = context
  }

  get all(): readonly Webhook[] {
    return this.#all
  }

  get(id: string): Webhook | undefined {
    return this.#all.find((webhook) => webhook.id === id)
  }

  /**
   * Makes those that are stored as configured those of the configuration. Rejects with STORAGE_CLOSED.
   * @param onChange called whenever there are others
   */
  open(configured: readonly Webhook[], onChange: () => void): Promise<void> {
    this.#onChange = onChange
    this.#unfollow = this.#context.storage.followWebhooks?.(() => this.#readAgain())
    return this.#writes.run(() => this.#configure(configured))
  }

  /** Resolves once it is durable, and in force at this server. Rejects with TOO_MANY_WEBHOOKS and STORAGE_CLOSED. */
  add(wish: Wish): Promise<Webhook> {
    return this.#writes.run(async () => {
      if (this.#all.length >= MAX_WEBHOOKS) {
        throw new CoeditError('TOO_MANY_WEBHOOKS', `there are ${MAX_WEBHOOKS} webhooks: delete one first`)
      }
      const webhook = newWebhook(wish, this.#context.clock.now())
      await this.#context.storage.storeWebhook(encodeWebhook(webhook))
      this.#set([...this.#all, webhook])
      return webhook
    })
  }

  /** Removes one with all that it was still to be told. Rejects with WEBHOOK_MISSING, WEBHOOK_CONFIGURED and STORAGE_CLOSED. */
  remove(id: string): Promise<void> {
    return this.#writes.run(async () => {
      const webhook = this.get(id)
      if (!webhook) throw missingError(id)
      if (webhook.isConfigured) {
        throw new CoeditError('WEBHOOK_CONFIGURED', `'${id}' is one of the option webhooks: take it out there`)
      }
      this.#set(this.#all.filter((other) => other !== webhook))
      await this.#context.storage.removeWebhook(id)
    })
  }

  cursorsOf(document: string, event: DocumentEvent): readonly string[] {
    return this.#all.flatMap((webhook) => (isToldOf(event, document, webhook) ? [webhookCursor(webhook.id)] : []))
  }

  close(): void {
    this.#isClosed = true
    this.#unfollow?.()
  }

  async #configure(configured: readonly Webhook[]): Promise<void> {
    const { storage } = this.#context
    await this.#read()
    const wanted = new Set(configured.map(({ id }) => id))
    for (const { id, isConfigured } of this.#all) if (isConfigured && !wanted.has(id)) await storage.removeWebhook(id)
    for (const webhook of configured) {
      const known = this.get(webhook.id)
      const merged = { ...webhook, createdAt: known?.createdAt ?? webhook.createdAt }
      if (!known || !isSame(known, merged)) await storage.storeWebhook(encodeWebhook(merged))
    }
    await this.#read()
  }

  #readAgain(): void {
    this.#writes
      .run(() => this.#read())
      .catch((error: unknown) => {
        if (!hasCode(error, 'STORAGE_CLOSED')) this.#context.log.error({ err: error }, 'webhooks could not be read')
      })
  }

  async #read(): Promise<void> {
    const stored = await this.#context.storage.loadWebhooks()
    const known = stored.map(decodeWebhook).filter((webhook) => webhook !== undefined)
    if (known.length < stored.length) this.#context.log.error({}, 'webhooks of a newer version are told nothing here')
    this.#set(known)
  }

  #set(all: readonly Webhook[]): void {
    this.#all = all
    if (!this.#isClosed) this.#onChange()
  }
}

export function missingError(id: string): CoeditError {
  return new CoeditError('WEBHOOK_MISSING', `there is no webhook '${id}'`)
}

function isSame(one: Webhook, other: Webhook): boolean {
  return encodeWebhook(one).text === encodeWebhook(other).text
}
