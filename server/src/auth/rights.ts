import { z } from 'zod'
import { isOneOf } from '../common/patterns.ts'

const patterns = z.array(z.string()).default([])

/**
 * The claim `coedit` of a token: each entry is the name of a document, or the beginning of names and a `*`. `revoke` is
 * the right to take access back, `list` that to be told of names, `create` and `delete` those to make documents as a whole, also
 * such as were deleted, and to delete them, `status` that to see how the server is doing,
 * `webhooks` that to have others told of documents, with what is in them.
 */
export const rightsClaim = z.object({
  read: patterns,
  write: patterns,
  list: patterns,
  create: patterns,
  delete: patterns,
  webhooks: patterns,
  revoke: z.boolean().default(false),
  status: z.boolean().default(false),
})

export type Rights = z.output<typeof rightsClaim>

/** The most that the rights allow with a document: who may write may read. */
export function accessTo(document: string, { read, write }: Rights): 'write' | 'read' | 'none' {
  if (isOneOf(document, write)) return 'write'
  return isOneOf(document, read) ? 'read' : 'none'
}

/** What somebody may do with a document as a whole. */
export type Deed = 'create' | 'delete'

export function mayDo(deed: Deed, document: string, rights: Pick<Rights, Deed>): boolean {
  return isOneOf(document, rights[deed])
}

/** Whether the rights allow to be told of all names that begin so. */
export function mayList(prefix: string, { list }: Pick<Rights, 'list'>): boolean {
  return list.some((pattern) => matchesAll(prefix, pattern))
}

/** Whether the rights allow to have others told of all documents whose names begin so. */
export function mayTell(prefix: string, { webhooks }: Pick<Rights, 'webhooks'>): boolean {
  return webhooks.some((pattern) => matchesAll(prefix, pattern))
}

/** Whether they allow to read all documents whose names begin so. */
export function mayReadAll(prefix: string, { read, write }: Pick<Rights, 'read' | 'write'>): boolean {
  return [...read, ...write].some((pattern) => matchesAll(prefix, pattern))
}

function matchesAll(prefix: string, pattern: string): boolean {
  return pattern.endsWith('*') && prefix.startsWith(pattern.slice(0, -1))
}
