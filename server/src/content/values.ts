import * as Y from 'yjs'
import type { Json } from './requests.ts'

/**
 * A shared type, or what Yjs stores in one, as JSON. Keys such as `__proto__` are keys like any other. What JSON has not
 * becomes what is closest: bytes their base64, numbers beyond doubles their digits.
 */
export function jsonOf(value: unknown): Json {
  if (value instanceof Y.Map) return objectOf(value.entries())
  if (value instanceof Y.Array) return value.toArray().map(jsonOf)
  if (value instanceof Y.AbstractType) return String(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof Y.Doc) return { guid: value.guid }
  if (Array.isArray(value)) return value.map(jsonOf)
  if (typeof value === 'object' && value !== null) return objectOf(Object.entries(value))
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  return typeof value === 'bigint' ? String(value) : null
}

/**
 * What to put into a shared type for a JSON value: objects and arrays become shared types themselves, so that two who
 * change different parts of one do not undo each other's work.
 */
export function sharedOf(value: Json): unknown {
  if (isArray(value)) {
    const array = new Y.Array<unknown>()
    array.push(value.map(sharedOf))
    return array
  }
  if (!isObject(value)) return value
  return new Y.Map(Object.entries(value).map(([key, inner]) => [key, sharedOf(inner)]))
}

export function isObject(value: unknown): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `Array.isArray` does not narrow what is read-only. */
export function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

function objectOf(entries: Iterable<readonly [string, unknown]>): Json {
  return Object.fromEntries([...entries].map(([key, inner]) => [key, jsonOf(inner)]))
}
