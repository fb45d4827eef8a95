import { bytes } from './bytes.ts'

/** A map in a map in a map …, of which the outermost is deleted: Yjs deletes the others by recursion. */
export function deeplyNested(depth: number): Uint8Array {
  const client = 7
  const map = 1
  const outermost = bytes(0x27, 1, 'root', 'k', map)
  const nested = Array.from({ length: depth - 1 }, (_, parent) => bytes(0x27, 0, client, parent, 'k', map))
  const deletes = bytes(1, client, 1, 0, 1)
  return new Uint8Array(Buffer.concat([bytes(1, depth, client, 0), outermost, ...nested, deletes]))
}
