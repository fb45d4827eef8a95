import type { Log } from '../../common/log.ts'
import { webhookOf } from '../webhook-cursor.ts'
import type { StoredWebhook, WebhookStore } from '../webhook-store.ts'
import type { LevelContext } from './context.ts'
import type { CursorTable } from './cursor-table.ts'
import { nameOf, WEBHOOKS, webhookKey } from './keys.ts'
import { removeKey } from './operations.ts'
import { readRange } from './read-range.ts'
import { decodeBytes, encodeBytes } from './records.ts'

export interface WebhookTableContext extends LevelContext {
  readonly log: Log
  readonly cursors: CursorTable
}

/** The webhooks in a database. */
export class WebhookTable implements WebhookStore {
  readonly #context: WebhookTableContext

  constructor(context: WebhookTableContext) {
    this.#context = context
  }

  async loadWebhooks(): Promise<readonly StoredWebhook[]> {
    this.#context.assertOpen()
    return this.#load()
  }

  async storeWebhook({ id, text }: StoredWebhook): Promise<void> {
    const { database, gate } = this.#context
    this.#context.assertOpen()
    const key = webhookKey(id)
    await gate.run(() => database.write([{ type: 'put', key, value: encodeBytes(key, Buffer.from(text)) }]))
  }

  async removeWebhook(id: string): Promise<boolean> {
    const { database, gate, cursors } = this.#context
    this.#context.assertOpen()
    const key = webhookKey(id)
    return gate.run(async () => {
      const wasThere = (await database.read((level) => level.get(key))) !== undefined
      await database.write([removeKey(key)])
      const others = new Set((await this.#load()).map((webhook) => webhook.id))
      for (const cursor of cursors.names) {
        const webhook = webhookOf(cursor)
        if (webhook !== undefined && !others.has(webhook)) await cursors.drop(cursor)
      }
      return wasThere
    })
  }

  /** One that is damaged is left out: who it was for is not known any more. */
  async #load(): Promise<readonly StoredWebhook[]> {
    const { database, log } = this.#context
    const records = await database.read((level) => readRange(level, WEBHOOKS))
    return records.flatMap((record) => {
      const id = nameOf(record.key)
      const bytes = decodeBytes(record)
      if (bytes) return [{ id, text: Buffer.from(bytes).toString() }]
      log.error({ webhook: id }, 'a webhook was damaged, and is told nothing: make it anew')
      return []
    })
  }
}
