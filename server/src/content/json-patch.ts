import { isDeepStrictEqual } from 'node:util'
import * as Y from 'yjs'
import { type Change, changePlain, plainAt } from './plain.ts'
import { indexOf, keysOf } from './pointer.ts'
import { conflict, invalid } from './refused.ts'
import type { Json, Operation } from './requests.ts'
import type { Roots } from './roots.ts'
import { replaceText } from './text.ts'
import { isArray, isObject, jsonOf, sharedOf } from './values.ts'
import type { View } from './view.ts'

type Container = Y.Map<unknown> | Y.Array<unknown>

/** What a patch is applied to: the roots, and what whoever asks for it has seen of them. */
export interface Patched {
  readonly roots: Roots
  readonly view: View
}

/** Where a path leads: a key of the innermost shared type, as it was seen, and the rest of it inside of a plain value there. */
interface Place {
  readonly container: Container
  readonly key: string
  readonly rest: readonly string[]
}

/**
 * Applies one operation of a JSON Patch (RFC 6902) to a root type.
 * @throws Refused EDIT_CONFLICT where the document has not what it needs, EDIT_OUTDATED where what is meant is gone since
 *   it was seen, BODY_INVALID
 */
export function applyOperation(on: Patched, root: string, operation: Operation): void {
  const keys = keysOf(operation.path)
  switch (operation.op) {
    case 'test':
      expectValue(valueAt(on, root, keys), operation)
      break
    case 'add':
    case 'replace':
    case 'remove':
      changeAt(on, root, keys, operation)
      break
    case 'copy':
      changeAt(on, root, keys, { op: 'add', value: valueAt(on, root, keysOf(operation.from)) })
      break
    case 'move':
      move(on, root, keysOf(operation.from), keys)
  }
}

function expectValue(present: Json, { path, value }: { path: string; value: Json }): void {
  if (!isDeepStrictEqual(present, value)) throw conflict(`'${path}' is not what the test expects`)
}

function move(on: Patched, root: string, from: readonly string[], to: readonly string[]): void {
  const isInside = from.length < to.length && from.every((key, depth) => to[depth] === key)
  if (isInside) throw invalid('what is moved cannot go into itself')
  const value = valueAt(on, root, from)
  changeAt(on, root, from, { op: 'remove' })
  changeAt(on, root, to, { op: 'add', value })
}

function valueAt(on: Patched, root: string, keys: readonly string[]): Json {
  if (keys.length === 0) return on.roots.json(root)
  const { container, key, rest } = placeOf(on, root, keys)
  return plainAt(jsonOf(presentAt(on, container, key)), rest)
}

function changeAt(on: Patched, root: string, keys: readonly string[], change: Change): void {
  if (keys.length === 0) {
    changeRoot(on, root, change)
    return
  }
  const { container, key, rest } = placeOf(on, root, keys)
  if (rest.length === 0) {
    changeKey(on, container, key, change)
    return
  }
  const present = presentAt(on, container, key)
  if (present instanceof Y.AbstractType) throw conflict(`there is no '${rest[0]}' in what '${key}' holds`)
  put(on, container, key, changePlain(jsonOf(present), rest, change))
}

function placeOf(on: Patched, root: string, keys: readonly string[]): Place {
  let container = containerOf(on.roots, root, keys[0] ?? '')
  for (const [depth, key] of keys.entries()) {
    const rest = keys.slice(depth + 1)
    const present = rest.length > 0 ? presentAt(on, container, key) : undefined
    if (!(present instanceof Y.Map || present instanceof Y.Array)) return { container, key, rest }
    if (container instanceof Y.Map) on.view.expectKey(container, key)
    container = present
  }
  throw invalid('a path without keys has no place')
}

/** A root of which nothing tells the kind becomes what the first key asks for. */
function containerOf(roots: Roots, root: string, firstKey: string): Container {
  const index = indexOf(firstKey, 0)
  const isArray = index === 0 || (index !== undefined && roots.hadElements(root))
  const kind = roots.kindOf(root) ?? (isArray ? 'array' : 'map')
  if (kind === 'map') return roots.map(root)
  if (kind === 'array') return roots.array(root)
  throw conflict(`'${root}' is of the kind ${kind}: there is nothing below it`)
}

/** @throws Refused EDIT_CONFLICT where there is nothing */
function presentAt({ view }: Patched, container: Container, key: string): unknown {
  if (container instanceof Y.Map) {
    if (container.has(key)) return container.get(key)
  } else {
    const index = indexOf(key, container.length)
    const place = index === undefined ? undefined : elementAt(view, container, index)
    if (place !== undefined) return container.get(place)
  }
  throw conflict(`there is no '${key}'`)
}

/** Undefined behind the last one. */
function elementAt(view: View, array: Y.Array<unknown>, index: number): number | undefined {
  const place = view.element(array, index)
  return place < array.length ? place : undefined
}

function changeKey(on: Patched, container: Container, key: string, change: Change): void {
  if (change.op === 'add') {
    add(on, container, key, change.value)
    return
  }
  if (container instanceof Y.Map) on.view.expectKey(container, key)
  const present = presentAt(on, container, key)
  if (change.op === 'remove') remove(on, container, key)
  // Whoever edits that text goes on doing so.
  else if (present instanceof Y.Text && typeof change.value === 'string') {
    on.view.expectWhole(present)
    replaceText(present, change.value)
  } else put(on, container, key, sharedOf(change.value))
}

function add(on: Patched, container: Container, key: string, value: Json): void {
  const { view } = on
  if (container instanceof Y.Map) {
    put(on, container, key, sharedOf(value))
    return
  }
  const { length } = container
  const seen = indexOf(key, length)
  const place = seen === undefined || key === '-' ? seen : view.gap(container, seen)
  if (seen === undefined || place === undefined || place > length) {
    throw conflict(`there is no place '${key}' in the array`)
  }
  container.insert(place, [sharedOf(value)])
  view.inserted(container, { seen: key === '-' ? undefined : seen, is: place })
}

function remove({ view }: Patched, container: Container, key: string): void {
  if (container instanceof Y.Map) {
    container.delete(key)
    view.wrote(container, key)
    return
  }
  container.delete(view.element(container, Number(key)), 1)
  view.removed(container, Number(key))
}

function put({ view }: Patched, container: Container, key: string, value: unknown): void {
  if (container instanceof Y.Map) {
    view.expectKey(container, key)
    container.set(key, value)
    view.wrote(container, key)
    return
  }
  const place = view.element(container, Number(key))
  container.delete(place, 1)
  container.insert(place, [value])
}

function changeRoot({ roots, view }: Patched, root: string, change: Change): void {
  const present = roots.find(root)
  if (present) view.expectWhole(present)
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
