import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { DocumentEvent } from '../document/told.ts'
import type { StoredWebhook } from '../storage/webhook-store.ts'

export const EVENTS = [
  'document.created',
  'document.changed',
  'document.deleted',
] as const satisfies readonly DocumentEvent[]

/** Standard Webhooks, "Signature scheme": symmetric secrets have at least 24 bytes. */
const MIN_SECRET_BYTES = 24
const MAX_SECRET_BYTES = 64
const NEW_SECRET_BYTES = 32
const SECRET_PREFIX = 'whsec_'

const MAX_URL = 2048
const MAX_PREFIXES = 16
const MAX_PREFIX = 4096
const MAX_ROOTS = 16
const MAX_ROOT = 255
const MAX_WAIT_MS = 3_600_000

/** What whoever wants to be told says. */
export const wishFields = {
  url: z
    .string()
    .max(MAX_URL)
    .refine(isWebhookUrl, 'expected an http or https URL without a user')
    .describe('Where to. Only https, unless it leads to an address of the option `webhookAddresses`.'),
  prefixes: z
    .array(z.string().max(MAX_PREFIX))
    .min(1)
    .max(MAX_PREFIXES)
    .default([''])
    .describe('What the names of documents begin with. Default: all of them.'),
  events: z
    .array(z.enum(EVENTS))
    .min(1)
    .default([...EVENTS])
    .describe('What to be told. Default: all.'),
  roots: z
    .array(z.strictObject({ root: z.string().min(1).max(MAX_ROOT), as: z.enum(['text', 'json']) }))
    .max(MAX_ROOTS)
    .default([])
    .describe('Roots whose content is sent along. Default: none.'),
  quietMs: z
    .int()
    .min(0)
    .max(MAX_WAIT_MS)
    .default(1000)
    .describe('Milliseconds of silence in a document after which it is told. 0: with each commit.'),
  maxWaitMs: z
    .int()
    .min(0)
    .max(MAX_WAIT_MS)
    .default(10_000)
    .describe('Milliseconds after which it is told although there was no silence.'),
}

const wish = z.strictObject(wishFields)
export type Wish = z.output<typeof wish>

/** By which the configuration names one. */
const givenId = z.string().regex(/^[\w-]{1,64}$/)
const secret = z
  .string()
  .refine(isSecret, `expected ${SECRET_PREFIX} and ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes in base64`)

/** What the option `webhooks` holds. */
export const configuredWebhooks = z.array(wish.extend({ id: givenId, secret }))

const webhook = wish.extend({
  id: z.string(),
  secret: z.string(),
  /** Milliseconds of the epoch. */
  createdAt: z.number(),
  /** Whether it is of the configuration, and goes with it. */
  isConfigured: z.boolean(),
})

/** Whom to tell of which documents. */
export type Webhook = Readonly<z.output<typeof webhook>>

export function newWebhook(wish: Wish, createdAt: number): Webhook {
  const id = randomBytes(12).toString('base64url')
  const secret = SECRET_PREFIX + randomBytes(NEW_SECRET_BYTES).toString('base64')
  return { ...wish, id, secret, createdAt, isConfigured: false }
}

export function encodeWebhook(webhook: Webhook): StoredWebhook {
  return { id: webhook.id, text: JSON.stringify(webhook) }
}

/** Undefined for one of a newer version that this one cannot do. */
export function decodeWebhook({ text }: StoredWebhook): Webhook | undefined {
  return webhook.safeParse(JSON.parse(text)).data
}

/** Whether this is one of the documents. */
export function isOf(document: string, { prefixes }: Pick<Webhook, 'prefixes'>): boolean {
  return prefixes.some((prefix) => document.startsWith(prefix))
}

/** Whether it is told when this happens to this document. */
export function isToldOf(event: DocumentEvent, document: string, webhook: Webhook): boolean {
  return webhook.events.includes(event) && isOf(document, webhook)
}

/** The key that signatures are made with. */
export function keyOf({ secret }: Pick<Webhook, 'secret'>): Uint8Array {
  return Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
}

function isWebhookUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === ''
}

function isSecret(text: string): boolean {
  const bytes = keyOf({ secret: text })
  const canonical = SECRET_PREFIX + Buffer.from(bytes).toString('base64')
  return text === canonical && bytes.length >= MIN_SECRET_BYTES && bytes.length <= MAX_SECRET_BYTES
}
