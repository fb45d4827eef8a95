import { isDeepStrictEqual } from 'node:util'
import * as Y from 'yjs'
import { type Change, changePlain, plainAt } from './plain.ts'
import { indexOf, keysOf } from './pointer.ts'
import { conflict, invalid } from './refused.ts'
import type { Json, Operation } from './requests.ts'
import type { Roots } from './roots.ts'
import { replaceText } from './text.ts'
import { isArray, isObject, jsonOf, sharedOf } from './values.ts'

type Container = Y.Map<unknown> | Y.Array<unknown>

/** Where a path leads: a key of the innermost shared type, and the rest of it inside of a plain value there. */
interface Place {
  readonly container: Container
  readonly key: string
  readonly rest: readonly string[]
}

/**
 * Applies one operation of a JSON Patch (RFC 6902) to a root type.
 * @throws Refused EDIT_CONFLICT where the document has not what it needs, BODY_INVALID
 */
export function applyOperation(roots: Roots, root: string, operation: Operation): void {
  const keys = keysOf(operation.path)
  switch (operation.op) {
    case 'test':
      expectValue(valueAt(roots, root, keys), operation)
      break
    case 'add':
    case 'replace':
    case 'remove':
      changeAt(roots, root, keys, operation)
      break
    case 'copy':
      changeAt(roots, root, keys, { op: 'add', value: valueAt(roots, root, keysOf(operation.from)) })
      break
    case 'move':
      move(roots, root, keysOf(operation.from), keys)
  }
}

function expectValue(present: Json, { path, value }: { path: string; value: Json }): void {
  if (!isDeepStrictEqual(present, value)) throw conflict(`'${path}' is not what the test expects`)
}

function move(roots: Roots, root: string, from: readonly string[], to: readonly string[]): void {
  const isInside = from.length < to.length && from.every((key, depth) => to[depth] === key)
  if (isInside) throw invalid('what is moved cannot go into itself')
  const value = valueAt(roots, root, from)
  changeAt(roots, root, from, { op: 'remove' })
  changeAt(roots, root, to, { op: 'add', value })
}

function valueAt(roots: Roots, root: string, keys: readonly string[]): Json {
  if (keys.length === 0) return roots.json(root)
  const { container, key, rest } = placeOf(roots, root, keys)
  return plainAt(jsonOf(presentAt(container, key)), rest)
}

function changeAt(roots: Roots, root: string, keys: readonly string[], change: Change): void {
  if (keys.length === 0) {
    changeRoot(roots, root, change)
    return
  }
  const { container, key, rest } = placeOf(roots, root, keys)
  if (rest.length === 0) {
    changeKey(container, key, change)
    return
  }
  const present = presentAt(container, key)
  if (present instanceof Y.AbstractType) throw conflict(`there is no '${rest[0]}' in what '${key}' holds`)
  put(container, key, changePlain(jsonOf(present), rest, change))
}

function placeOf(roots: Roots, root: string, keys: readonly string[]): Place {
  let container = containerOf(roots, root, keys[0] ?? '')
  for (const [depth, key] of keys.entries()) {
    const rest = keys.slice(depth + 1)
    const present = rest.length > 0 ? presentAt(container, key) : undefined
    if (!(present instanceof Y.Map || present instanceof Y.Array)) return { container, key, rest }
    container = present
  }
  throw invalid('a path without keys has no place')
}

/** A root that nothing was written to becomes what the first key asks for. */
function containerOf(roots: Roots, root: string, firstKey: string): Container {
  const kind = roots.kindOf(root) ?? (indexOf(firstKey, 0) === 0 ? 'array' : 'map')
  if (kind === 'map') return roots.map(root)
  if (kind === 'array') return roots.array(root)
  throw conflict(`'${root}' is of the kind ${kind}: there is nothing below it`)
}

/** @throws Refused EDIT_CONFLICT where there is nothing */
function presentAt(container: Container, key: string): unknown {
  if (container instanceof Y.Map) {
    if (container.has(key)) return container.get(key)
  } else {
    const index = indexOf(key, container.length)
    if (index !== undefined && index < container.length) return container.get(index)
  }
  throw conflict(`there is no '${key}'`)
}

function changeKey(container: Container, key: string, change: Change): void {
  if (change.op === 'add') {
    add(container, key, change.value)
    return
  }
  const present = presentAt(container, key)
  if (change.op === 'remove') remove(container, key)
  // Whoever edits that text goes on doing so.
  else if (present instanceof Y.Text && typeof change.value === 'string') replaceText(present, change.value)
  else put(container, key, sharedOf(change.value))
}

function add(container: Container, key: string, value: Json): void {
  if (container instanceof Y.Map) {
    container.set(key, sharedOf(value))
    return
  }
  const index = indexOf(key, container.length)
  if (index === undefined || index > container.length) throw conflict(`there is no place '${key}' in the array`)
  container.insert(index, [sharedOf(value)])
}

function remove(container: Container, key: string): void {
  if (container instanceof Y.Map) container.delete(key)
  else container.delete(Number(key), 1)
}

function put(container: Container, key: string, value: unknown): void {
  if (container instanceof Y.Map) {
    container.set(key, value)
    return
  }
  container.delete(Number(key), 1)
  container.insert(Number(key), [value])
}

function changeRoot(roots: Roots, root: string, change: Change): void {
  if (change.op === 'remove') clear(roots, root)
  else if (typeof change.value === 'string') replaceText(roots.text(root), change.value)
  else if (isArray(change.value)) replaceArray(roots.array(root), change.value)
  else if (isObject(change.value)) replaceMap(roots.map(root), change.value)
  else throw conflict('a root holds a text, an array or an object')
}

function replaceArray(array: Y.Array<unknown>, value: readonly Json[]): void {
  array.delete(0, array.length)
  array.insert(0, value.map(sharedOf))
}

function replaceMap(map: Y.Map<unknown>, value: { readonly [key: string]: Json }): void {
  map.clear()
  for (const [key, inner] of Object.entries(value)) map.set(key, sharedOf(inner))
}

function clear(roots: Roots, root: string): void {
  const present = roots.find(root)
  if (present instanceof Y.Map) present.clear()
  else present?.delete(0, present.length)
}
