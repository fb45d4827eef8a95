import type { Log } from '../../common/log.ts'
import type { StoredWebhook } from '../storage.ts'
import type { Database } from './database.ts'
import { nameOf, WEBHOOKS, webhookKey } from './keys.ts'
import { removeKey } from './operations.ts'
import { readRange } from './read-range.ts'
import { decodeBytes, encodeBytes } from './records.ts'

/** All webhooks in a database. One that is damaged is left out: who it was for is not known any more. */
export async function readWebhooks(database: Database, log: Log): Promise<readonly StoredWebhook[]> {
  const records = await database.read((level) => readRange(level, WEBHOOKS))
  return records.flatMap((record) => {
    const id = nameOf(record.key)
    const bytes = decodeBytes(record)
    if (bytes) return [{ id, text: Buffer.from(bytes).toString() }]
    log.error({ webhook: id }, 'a webhook was damaged, and is told nothing: make it anew')
    return []
  })
}

/** Within the gate. */
export async function writeWebhook(database: Database, { id, text }: StoredWebhook): Promise<void> {
  const key = webhookKey(id)
  await database.write([{ type: 'put', key, value: encodeBytes(key, Buffer.from(text)) }])
}

/** Within the gate. Resolves whether it was there. */
export async function eraseWebhook(database: Database, id: string): Promise<boolean> {
  const key = webhookKey(id)
  const wasThere = (await database.read((level) => level.get(key))) !== undefined
  await database.write([removeKey(key)])
  return wasThere
}
