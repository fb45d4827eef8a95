import * as Y from 'yjs'
import { invalid } from './refused.ts'
import type { Json } from './requests.ts'
import { isObject, jsonOf, sharedOf } from './values.ts'
import type { View } from './view.ts'

/**
 * Applies a JSON Merge Patch (RFC 7396) to a map: null takes a key away, objects go on inside, all else is put there.
 * @throws Refused EDIT_OUTDATED where somebody else has changed a key since it was seen, BODY_INVALID
 */
export function mergeInto(map: Y.Map<unknown>, patch: Json, view: View): void {
  if (!isObject(patch)) throw invalid('a merge patch of a root is an object')
  for (const [key, value] of Object.entries(patch)) mergeKey(map, key, value, view)
}

function mergeKey(map: Y.Map<unknown>, key: string, patch: Json, view: View): void {
  const present = map.get(key)
  // What is gone need not be taken away.
  if (patch === null && !map.has(key)) return
  view.expectKey(map, key)
  if (patch === null) map.delete(key)
  else if (!isObject(patch)) map.set(key, sharedOf(patch))
  else if (present instanceof Y.Map) mergeInto(present, patch, view)
  else map.set(key, sharedOf(merged(jsonOf(present), patch)))
}

/** RFC 7396 §2, on plain values. */
function merged(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch
  const result = new Map(isObject(target) ? Object.entries(target) : [])
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key)
    else result.set(key, merged(result.get(key) ?? null, value))
  }
  return Object.fromEntries(result)
}
