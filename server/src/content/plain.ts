import { indexOf } from './pointer.ts'
import { conflict } from './refused.ts'
import type { Json } from './requests.ts'
import { isArray, isObject } from './values.ts'

/** What to do at a place. */
export type Change = { readonly op: 'add' | 'replace'; readonly value: Json } | { readonly op: 'remove' }

/** @throws Refused EDIT_CONFLICT where a value has nothing there */
export function plainAt(value: Json, keys: readonly string[]): Json {
  return keys.reduce(childOf, value)
}

/**
 * A value with a change inside of it.
 * @throws Refused EDIT_CONFLICT
 */
export function changePlain(value: Json, [key = '', ...rest]: readonly string[], change: Change): Json {
  if (rest.length > 0) return withKey(value, key, changePlain(childOf(value, key), rest, change), 1)
  if (change.op === 'add') return withKey(value, key, change.value, 0)
  childOf(value, key)
  return withKey(value, key, change.op === 'remove' ? undefined : change.value, 1)
}

function childOf(value: Json, key: string): Json {
  const index = isArray(value) ? indexOf(key, value.length) : undefined
  const child = isArray(value) && index !== undefined ? value[index] : own(value, key)
  if (child === undefined) throw conflict(`there is no '${key}'`)
  return child
}

function own(value: Json, key: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
}

/** @param replaced how many elements of an array make room for it */
function withKey(value: Json, key: string, child: Json | undefined, replaced: 0 | 1): Json {
  if (isArray(value)) {
    const index = indexOf(key, value.length)
    if (index === undefined || index > value.length) throw conflict(`there is no place '${key}' in the array`)
    return value.toSpliced(index, replaced, ...(child === undefined ? [] : [child]))
  }
  if (!isObject(value)) throw conflict(`there is no '${key}' in a value that is neither object nor array`)
  const entries = Object.entries(value).filter(([other]) => other !== key)
  return Object.fromEntries(child === undefined ? entries : [...entries, [key, child]])
}
