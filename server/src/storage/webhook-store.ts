import type { Unfollow } from './document-store.ts'

/** Who is told of documents by HTTP. What they are still to be told is a cursor of the name that `webhookCursor` gives. */
export interface WebhookStore {
  /** All of them, in no order. Rejects with STORAGE_CLOSED. */
  loadWebhooks(): Promise<readonly StoredWebhook[]>

  /** Stores one in the place of that of the same id. Resolves once that is durable. Rejects with STORAGE_CLOSED. */
  storeWebhook(webhook: StoredWebhook): Promise<void>

  /**
   * Removes one with all of its cursors, and those that servers which did not know it yet have left of others. Resolves
   * whether it was there. Rejects with STORAGE_CLOSED.
   */
  removeWebhook(id: string): Promise<boolean>

  /** Calls `onChange` within 2 s when others have changed webhooks, as `followRevocations` does. */
  followWebhooks?(onChange: () => void): Unfollow
}

export interface StoredWebhook {
  readonly id: string
  /** As whoever stores it has encoded it. */
  readonly text: string
}
