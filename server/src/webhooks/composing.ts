import { createHash } from 'node:crypto'
import { CoeditError } from '../common/errors.ts'
import type { Contents } from '../content/contents.ts'
import { cursorId } from '../document/cursor-id.ts'
import type { Documents } from '../document/documents.ts'
import type { Place } from '../document/in-process.ts'
import type { DocumentEvent } from '../document/told.ts'
import type { Catalog } from '../storage/catalog.ts'
import type { Message } from './signature.ts'
import type { Webhook } from './webhook.ts'

/** What is sent of the content of a document, all roots together. */
const MAX_CONTENT_BYTES = 1024 * 1024

export interface ComposingContext {
  readonly documents: Documents
  readonly contents: Contents
  readonly catalog: Pick<Catalog, 'stat'>
}

/** A message, and the place in the log up to which it tells. */
export interface Composed extends Message {
  readonly at: Place
}

/** Where a message begins, and what it is about. */
export interface Beginning {
  readonly document: string
  readonly event: DocumentEvent
  /** The number up to which was told before. */
  readonly after: number
}

/** Tells that a document was deleted; nothing of it is left to be told. */
export function composeDeletion({ id }: Pick<Webhook, 'id'>, document: string, deletedAt: number): Message {
  const event = 'document.deleted'
  return {
    id: messageId(id, document, event, deletedAt),
    body: bodyOf(event, deletedAt, { document: JSON.stringify(document) }),
  }
}

/**
 * Tells what has become of a document since it was told of last. The same is told under the same id, also by another server and after a
 * restart. Resolves undefined where the document is gone meanwhile. Rejects as `Documents.place` does.
 */
export async function compose(
  webhook: Webhook,
  { document, event, after }: Beginning,
  { documents, contents, catalog }: ComposingContext,
): Promise<Composed | undefined> {
  // What is read behind this stands there, or later.
  const at = await documents.place(document)
  const facts = await catalog.stat(document)
  if (!facts) return undefined
  const { createdAt, updatedAt } = facts
  const id = messageId(webhook.id, document, event, createdAt, after, at.position, updatedAt)
  const content = webhook.roots.length > 0 ? await contentOf(webhook, document, contents) : {}
  const fields = { document: JSON.stringify(document), cursor: JSON.stringify(cursorId(at)), ...content }
  const time = event === 'document.created' ? createdAt : updatedAt
  return { id, body: bodyOf(event, time, fields), at }
}

/** The roots that were asked for, and why some of them could not be read. */
async function contentOf({ roots }: Webhook, document: string, contents: Contents): Promise<Record<string, string>> {
  let left = MAX_CONTENT_BYTES
  const read: [string, string][] = []
  const unread: [string, string][] = []
  const bodies = await Promise.all(
    roots.map(({ root, as }) => contents.read(document, { root, as }).catch((error: unknown) => codeOf(error))),
  )
  for (const [index, { root, as }] of roots.entries()) {
    const found = bodies[index] ?? ''
    if (typeof found === 'string') unread.push([root, JSON.stringify(found)])
    else {
      const json = as === 'text' ? JSON.stringify(found.body) : found.body
      const bytes = Buffer.byteLength(json)
      if (bytes > left) unread.push([root, JSON.stringify('BODY_TOO_LARGE')])
      else {
        left -= bytes
        read.push([root, json])
      }
    }
  }
  return { roots: objectOf(read), ...(unread.length > 0 && { unread: objectOf(unread) }) }
}

/** Whoever is told learns that a root is of another kind, or cannot be read at all; all else is tried again. */
function codeOf(error: unknown): string {
  const isTold = error instanceof CoeditError && ['EDIT_CONFLICT', 'DOCUMENT_UNREADABLE'].includes(error.code)
  if (isTold) return error.code
  throw error
}

/** @param fields in JSON */
function bodyOf(type: DocumentEvent, time: number, fields: Readonly<Record<string, string>>): string {
  const timestamp = JSON.stringify(new Date(time).toISOString())
  return objectOf([
    ['type', JSON.stringify(type)],
    ['timestamp', timestamp],
    ['data', objectOf(Object.entries(fields))],
  ])
}

/** An object in JSON of members that are JSON already. */
function objectOf(members: readonly (readonly [string, string])[]): string {
  return `{${members.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')}}`
}

function messageId(...parts: readonly (string | number)[]): string {
  return `msg_${createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 27)}`
}
