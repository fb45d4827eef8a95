import { z } from 'zod'
import type { Appended, AppendRequest } from '../document-store.ts'

/** PostgreSQL takes 7,999 bytes of a notification. */
const MAX_PAYLOAD_BYTES = 7_900

/** That a document has entries, which are in it where they are small. */
export interface Hint {
  readonly document: string
  readonly incarnation: number
  readonly seq: number
  readonly update: Uint8Array | null
}

const payloadSchema = z.tuple([
  z.string(),
  z.array(z.tuple([z.string(), z.number(), z.number(), z.string().nullable()])),
])

/** What one node tells the others: who it is, and what it has appended. */
export interface News {
  readonly sender: string
  readonly hints: readonly Hint[]
}

export function hintsOf(batch: readonly AppendRequest[], appended: readonly Appended[]): Hint[] {
  return appended.flatMap(({ incarnation, seq }, place) => {
    const request = batch[place]
    return request ? [{ document: request.document, incarnation, seq, update: request.update }] : []
  })
}

/** As many payloads as it takes, in order, and at least one. */
export function encodeHints(sender: string, hints: readonly Hint[]): string[] {
  const payloads: string[] = []
  let items: string[] = []
  let bytes = 0
  for (const hint of hints) {
    const item = encodeHint(hint)
    const itemBytes = Buffer.byteLength(item) + 1
    if (items.length > 0 && bytes + itemBytes > MAX_PAYLOAD_BYTES - sender.length) {
      payloads.push(payloadOf(sender, items))
      items = []
      bytes = 0
    }
    items.push(item)
    bytes += itemBytes
  }
  if (items.length > 0 || payloads.length === 0) payloads.push(payloadOf(sender, items))
  return payloads
}

/** Undefined where it is not one of these. */
export function decodeHints(payload: string): News | undefined {
  const parsed = payloadSchema.safeParse(jsonOf(payload))
  if (!parsed.success) return undefined
  const [sender, items] = parsed.data
  const hints = items.map(([document, incarnation, seq, base64]) => ({
    document,
    incarnation,
    seq,
    update: base64 === null ? null : new Uint8Array(Buffer.from(base64, 'base64')),
  }))
  return { sender, hints }
}

function encodeHint({ document, incarnation, seq, update }: Hint): string {
  const without = JSON.stringify([document, incarnation, seq, null])
  if (update === null || update.length > MAX_PAYLOAD_BYTES / 2) return without
  return JSON.stringify([document, incarnation, seq, Buffer.from(update).toString('base64')])
}

function payloadOf(sender: string, items: readonly string[]): string {
  return `[${JSON.stringify(sender)},[${items.join(',')}]]`
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
