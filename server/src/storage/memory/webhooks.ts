import type { Unfollow } from '../document-store.ts'
import { webhookOf } from '../webhook-cursor.ts'
import type { StoredWebhook, WebhookStore } from '../webhook-store.ts'
import type { MemoryAccess } from './access.ts'

/** The webhooks in a database. */
export class MemoryWebhooks implements WebhookStore {
  readonly #access: MemoryAccess

  constructor(access: MemoryAccess) {
    this.#access = access
  }

  loadWebhooks(): Promise<readonly StoredWebhook[]> {
    return this.#access.run(() => [...this.#access.database.webhooks].map(([id, text]) => ({ id, text })))
  }

  storeWebhook({ id, text }: StoredWebhook): Promise<void> {
    return this.#access.run(() => {
      this.#access.database.webhooks.set(id, text)
      this.#access.tellOthers(this.#access.database.webhookFollowers)
    })
  }

  removeWebhook(id: string): Promise<boolean> {
    return this.#access.run(() => {
      const { webhooks, cursors, webhookFollowers } = this.#access.database
      const wasThere = webhooks.delete(id)
      for (const cursor of cursors.keys()) {
        const webhook = webhookOf(cursor)
        if (webhook !== undefined && !webhooks.has(webhook)) cursors.delete(cursor)
      }
      this.#access.tellOthers(webhookFollowers)
      return wasThere
    })
  }

  followWebhooks(onChange: () => void): Unfollow {
    return this.#access.followTable(this.#access.database.webhookFollowers, onChange)
  }
}
