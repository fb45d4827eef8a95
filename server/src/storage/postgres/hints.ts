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

export function hintsOf(batch: readonly AppendRequest[], appended: readonly Appended[]): Hint[] {
  return appended.flatMap(({ incarnation, seq }, place) => {
    const request = batch[place]
    return request ? [{ document: request.document, incarnation, seq, update: request.update }] : []
  })
}

/**
 * As many payloads as it takes, in order, such as coedit.append_and_tell sends them, too. What fits in none is left out: the
 * others find it when they compare heads.
 */
export function encodeHints(sender: string, hints: readonly Hint[]): string[] {
  const payloads: string[] = []
  let items: string[] = []
  let bytes = 0
  const room = MAX_PAYLOAD_BYTES - sender.length
  for (const hint of hints) {
    const item = encodeHint(hint, room)
    const itemBytes = Buffer.byteLength(item) + 1
    if (itemBytes > room) continue
    if (items.length > 0 && bytes + itemBytes > room) {
      payloads.push(payloadOf(sender, items))
      items = []
      bytes = 0
    }
    items.push(item)
    bytes += itemBytes
  }
  if (items.length > 0) payloads.push(payloadOf(sender, items))
  return payloads
}

/** Undefined where it is not one of these, or was sent by this node itself. */
export function decodeHints(payload: string, ownSender: string): readonly Hint[] | undefined {
  if (payload.startsWith(`["${ownSender}"`)) return undefined
  const parsed = payloadSchema.safeParse(jsonOf(payload))
  if (!parsed.success) return undefined
  const [, items] = parsed.data
  return items.map(([document, incarnation, seq, base64]) => ({
    document,
    incarnation,
    seq,
    update: base64 === null ? null : new Uint8Array(Buffer.from(base64, 'base64')),
  }))
}

/** With its update, if there is one and that fits. */
function encodeHint({ document, incarnation, seq, update }: Hint, room: number): string {
  if (update !== null && update.length < room) {
    const item = JSON.stringify([document, incarnation, seq, Buffer.from(update).toString('base64')])
    if (Buffer.byteLength(item) < room) return item
  }
  return JSON.stringify([document, incarnation, seq, null])
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
