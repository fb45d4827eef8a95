import { bytes } from './bytes.ts'

type Part = number | string | Uint8Array

/** The parent of an item: the root type 't'. */
export const ROOT = bytes(1, 't')

/** An update of one section. The structs' bytes follow the number of structs, client 7 and clock 0. */
export function section(structs: number, ...parts: readonly Part[]): Uint8Array {
  return bytes(1, structs, 7, 0, ...parts, 0)
}

/** An update of one struct with the content that belongs to `kind`. */
export function item(kind: number, ...content: readonly Part[]): Uint8Array {
  return section(1, kind, ROOT, ...content)
}

/** A value of Yjs: arrays of one element in each other, so many. */
export function nestedAny(depth: number): Uint8Array {
  return bytes(...Array.from({ length: depth }, () => bytes(117, 1)), 126)
}
