import type { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { CoeditError } from '../../common/errors.ts'
import type { Changes, NewRoots } from '../../content/requests.ts'
import type { Env } from '../routes.ts'
import { firstProblem } from './api-routes.ts'
import { CHANGES, newRoots } from './schemas.ts'

export const BINARY = 'application/octet-stream'

/** The body as JSON of a schema. Rejects with BODY_INVALID, BODY_TOO_LARGE. */
export async function jsonBody<T>(c: Context<Env>, schema: z.ZodType<T>): Promise<T> {
  return valid(schema, jsonIn(new Uint8Array(await c.req.arrayBuffer())))
}

/** The same of a body that may be missing. */
export async function jsonBodyIfAny<T>(c: Context<Env>, schema: z.ZodType<T>): Promise<T | undefined> {
  const body = await c.req.arrayBuffer()
  return body.byteLength > 0 ? valid(schema, jsonIn(new Uint8Array(body))) : undefined
}

export async function newContentIn(c: Context<Env>, root: string): Promise<Uint8Array | NewRoots> {
  const body = new Uint8Array(await c.req.arrayBuffer())
  const type = typeIn(c)
  if (body.length === 0) return {}
  switch (type) {
    case 'application/json':
      return valid(newRoots, jsonIn(body))
    case 'text/plain':
      return { [root]: new TextDecoder().decode(body) }
    case BINARY:
      return body
    default:
      throw new CoeditError('BODY_INVALID', `the content-type is '${type}', expected JSON, plain text or ${BINARY}`)
  }
}

function jsonIn(body: Uint8Array): unknown {
  const text = new TextDecoder().decode(body)
  try {
    const value: unknown = JSON.parse(text)
    if (!SURROGATE.test(text) || isWellFormed(value)) return value
  } catch (cause) {
    throw new CoeditError('BODY_INVALID', 'expected JSON', { cause })
  }
  throw new CoeditError('BODY_INVALID', 'a string holds half of a surrogate pair, which no document can keep')
}

/** How JSON writes one; as they are they do not come out of UTF-8. */
const SURROGATE = /\\u[dD][89a-fA-F]/

/** Without recursion, which a body could exhaust. */
function isWellFormed(value: unknown): boolean {
  for (const left = [value]; left.length > 0; ) {
    const next = left.pop()
    if (typeof next === 'string' && /\p{Surrogate}/u.test(next)) return false
    if (typeof next !== 'object' || next === null) continue
    for (const [key, inner] of Object.entries(next)) left.push(key, inner)
  }
  return true
}

function typeIn(c: Context<Env>): string {
  return /^[^;\s]*/.exec(c.req.header('content-type')?.toLowerCase() ?? '')?.[0] ?? ''
}

export async function changesIn(c: Context<Env>): Promise<Changes> {
  const type = typeIn(c)
  const known = Object.keys(CHANGES).join(', ')
  if (!isChangeType(type))
    throw new CoeditError('BODY_INVALID', `the content-type is '${type}', expected one of ${known}`)
  const body = jsonIn(new Uint8Array(await c.req.arrayBuffer()))
  switch (type) {
    case 'application/json-patch+json':
      return { as: 'json-patch', operations: valid(CHANGES[type], body) }
    case 'application/merge-patch+json':
      return { as: 'merge-patch', patch: valid(CHANGES[type], body) }
    case 'application/json':
      return { as: 'text-edits', edits: valid(CHANGES[type], body) }
  }
}

function isChangeType(type: string): type is keyof typeof CHANGES {
  return Object.hasOwn(CHANGES, type)
}

function valid<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  throw new CoeditError('BODY_INVALID', firstProblem(result.error))
}
