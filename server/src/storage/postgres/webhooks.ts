import type { StoredWebhook } from '../storage.ts'
import { webhookCursor } from '../webhook-cursor.ts'
import type { Link } from './link.ts'

/** What `SummaryWatch` looks at: there are few of them. */
export const WEBHOOKS_SUMMARY = `
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

export function readWebhooks(link: Link): Promise<StoredWebhook[]> {
  return link.query<StoredWebhook>({ text: 'SELECT id, content AS text FROM coedit.webhooks' })
}

export async function writeWebhook(link: Link, { id, text }: StoredWebhook): Promise<void> {
  await link.query({ text: STORE, values: [id, text] })
}

/** Resolves whether it was there. */
export async function eraseWebhook(link: Link, id: string): Promise<boolean> {
  return (await link.query({ text: REMOVE, values: [id, webhookCursor('')] })).length > 0
}
