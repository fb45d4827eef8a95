import type { Json } from '../../server/src/content/requests.ts'

/** As the events of a text have it. */
export interface Splice {
  readonly index: number
  readonly delete?: number
  readonly insert?: string
}

/** What a text becomes by splices, each in what those before it have made. */
export function spliced(text: string, splices: readonly Splice[]): string {
  return splices.reduce((before, { index, delete: gone = 0, insert = '' }) => {
    if (index + gone > before.length) throw new Error(`there is no ${index}+${gone} in ${before.length} characters`)
    return before.slice(0, index) + insert + before.slice(index + gone)
  }, text)
}

export interface PatchOperation {
  readonly op: string
  readonly path: string
  readonly value?: Json
}

/** What a value becomes by a JSON Patch of the operations that the server uses; strict, as RFC 6902 has it. */
export function patched(value: Json, operations: readonly PatchOperation[]): Json {
  return operations.reduce(applied, value)
}

function applied(value: Json, { op, path, value: given }: PatchOperation): Json {
  if (path === '') {
    if (op !== 'replace' || given === undefined) throw new Error(`${op} of the whole value`)
    return given
  }
  const keys = path
    .slice(1)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  return changed(value, keys, op, given)
}

function changed(value: Json, [key = '', ...rest]: readonly string[], op: string, given: Json | undefined): Json {
  const isLast = rest.length === 0
  if (Array.isArray(value)) {
    const list: Json[] = [...value]
    const index = Number(key)
    const end = isLast && op === 'add' ? list.length : list.length - 1
    if (!Number.isInteger(index) || index < 0 || index > end) throw new Error(`there is no ${key} in an array`)
    if (!isLast) list[index] = changed(list[index] ?? null, rest, op, given)
    else if (op === 'remove') list.splice(index, 1)
    else list.splice(index, op === 'add' ? 0 : 1, given ?? null)
    return list
  }
  if (typeof value !== 'object' || value === null) throw new Error(`there is no ${key} in ${JSON.stringify(value)}`)
  const entries = new Map(Object.entries(value))
  if (!entries.has(key) && !(isLast && op === 'add')) throw new Error(`there is no ${key} in an object`)
  if (!isLast) entries.set(key, changed(entries.get(key) ?? null, rest, op, given))
  else if (op === 'remove') entries.delete(key)
  else entries.set(key, given ?? null)
  return Object.fromEntries(entries)
}
