import { invalid } from './refused.ts'

/**
 * The keys of a JSON Pointer (RFC 6901).
 * @throws Refused BODY_INVALID
 */
export function keysOf(pointer: string): readonly string[] {
  if (pointer === '') return []
  if (!pointer.startsWith('/')) throw invalid(`the path '${pointer}' does not begin with a slash`)
  if (/~(?![01])/.test(pointer)) throw invalid(`the path '${pointer}' has a ~ that is followed by neither 0 nor 1`)
  const keys = pointer.slice(1).split('/')
  return keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** The index in an array that a key stands for; `-` for the place behind the last one. Undefined for what is none. */
export function indexOf(key: string, length: number): number | undefined {
  if (key === '-') return length
  return /^(?:0|[1-9]\d{0,15})$/.test(key) ? Number(key) : undefined
}

/** The JSON Pointer of a path. */
export function pointerOf(path: readonly (string | number)[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
