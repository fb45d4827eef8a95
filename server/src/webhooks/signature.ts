import { createHmac } from 'node:crypto'
import { keyOf, type Webhook } from './webhook.ts'

/** A message as it goes over the line. */
export interface Message {
  /** The same in each attempt. */
  readonly id: string
  readonly body: string
}

/**
 * Signs an attempt as Standard Webhooks 1.0 has it, with HMAC-SHA256.
 * @param now when the attempt is made, in milliseconds of the epoch
 */
export function signatureHeaders(webhook: Pick<Webhook, 'secret'>, { id, body }: Message, now: number) {
  const timestamp = `${Math.floor(now / 1000)}`
  const signature = createHmac('sha256', keyOf(webhook)).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}
