import { z } from '@hono/zod-openapi'
import type { ErrorCode } from '../../common/errors.ts'
import { BINARY } from './bodies.ts'

// What several operations take, give and refuse alike.

/** The path of one document. */
export const DOCUMENT = '/api/documents/{name}'

/** Whoever asks for a document may be told this. */
export const ADMISSION: readonly ErrorCode[] = [
  'DOCUMENT_NAME',
  'REQUEST_INVALID',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'BODY_UNEXPECTED',
  'TOO_MANY_CONNECTIONS',
  'AUTH_UNAVAILABLE',
  'SERVER_CLOSED',
]
/** The same of those that take a body. */
export const ADMISSION_WITH_BODY: readonly ErrorCode[] = [
  ...ADMISSION.filter((code) => code !== 'BODY_UNEXPECTED'),
  'BODY_INVALID',
  'BODY_TOO_LARGE',
]
export const READING: readonly ErrorCode[] = [...ADMISSION, 'DOCUMENT_MISSING', 'GONE']
export const WRITING: readonly ErrorCode[] = [
  ...ADMISSION_WITH_BODY,
  'DOCUMENT_FULL',
  'GONE',
  'STORAGE_CLOSED',
  'KEY_REUSED',
]

export const etagHeader = z.object({
  ETag: z.string().openapi({ description: 'Where the document stands, in quotes.' }),
})
export const ifNoneMatch = z.object({
  'If-None-Match': z.string().optional().openapi({ description: 'The `ETag` that one has.' }),
})
export const ifMatch = z.object({
  'If-Match': z.string().optional().openapi({
    description:
      'The `ETag` of what the change was made for. Positions in a text and indexes of arrays are carried over what has happened since; it is refused where what it is about is gone.',
  }),
})
export const idempotencyKey = z.object({
  'Idempotency-Key': z.string().optional().openapi({
    description:
      'Makes a retry safe: what was done with this key, of 1 to 255 characters, is not done again, but answered as it was. Kept for 24 hours, of a document the last 1,000, and so many of deletions; for each user on their own.',
  }),
})
export const NOT_MODIFIED = { description: 'Nothing has changed since.', headers: etagHeader }
export const DONE = { description: 'It is durable.', headers: etagHeader }

/** Content as values, by how it is represented, and as an update. */
export const VALUES = {
  'application/json': { schema: z.unknown() },
  'text/plain': { schema: z.string() },
  'application/xml': { schema: z.string() },
}
export const VALUE_TYPES = {
  json: 'application/json; charset=utf-8',
  text: 'text/plain; charset=utf-8',
  xml: 'application/xml; charset=utf-8',
}
export const UPDATE = { [BINARY]: { schema: z.string().openapi({ format: 'binary' }) } }

export const NO_STORE = { 'cache-control': 'no-store' }

export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
