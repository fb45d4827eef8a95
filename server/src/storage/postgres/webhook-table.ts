import type { Unfollow } from '../document-store.ts'
import { webhookCursor } from '../webhook-cursor.ts'
import type { StoredWebhook, WebhookStore } from '../webhook-store.ts'
import type { Run } from './link.ts'
import { SummaryWatch } from './summary-watch.ts'

// There are few of them.
const SUMMARY = `
SELECT coalesce(md5(string_agg(id || ' ' || content, ' ' ORDER BY id)), '') AS summary FROM coedit.webhooks`

const STORE = `
INSERT INTO coedit.webhooks VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET content = excluded.content`

// A server that does not know yet that one is removed makes cursors of it for some seconds more.
const REMOVE = `
WITH removed AS (
  DELETE FROM coedit.webhooks WHERE id = $1 RETURNING id
), others AS (
  SELECT $2 || id AS cursor FROM coedit.webhooks WHERE id <> $1
), entries AS (
  DELETE FROM coedit.cursors c WHERE starts_with(c.cursor, $2) AND c.cursor NOT IN (SELECT cursor FROM others)
), farewells AS (
  DELETE FROM coedit.farewells c WHERE starts_with(c.cursor, $2) AND c.cursor NOT IN (SELECT cursor FROM others)
)
SELECT FROM removed`

/** The webhooks in a database. */
export class WebhookTable implements WebhookStore {
  readonly #run: Run
  readonly #watch: SummaryWatch

  constructor(run: Run) {
    this.#run = run
    this.#watch = new SummaryWatch(SUMMARY, run)
  }

  loadWebhooks(): Promise<readonly StoredWebhook[]> {
    return this.#run((link) => link.query<StoredWebhook>({ text: 'SELECT id, content AS text FROM coedit.webhooks' }))
  }

  async storeWebhook({ id, text }: StoredWebhook): Promise<void> {
    await this.#run((link) => link.query({ text: STORE, values: [id, text] }))
  }

  async removeWebhook(id: string): Promise<boolean> {
    const removed = await this.#run((link) => link.query({ text: REMOVE, values: [id, webhookCursor('')] }))
    return removed.length > 0
  }

  followWebhooks(onChange: () => void): Unfollow {
    return this.#watch.add(onChange)
  }

  /** Tells those who follow where others have changed something. Rejects as reading does. */
  check(): Promise<void> {
    return this.#watch.check()
  }
}
