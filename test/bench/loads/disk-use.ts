import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const BLOCK_BYTES = 512

/** The bytes that a directory takes on disk, in whole blocks as `du` counts them. */
export function diskUse(directory: string): number {
  let bytes = 0
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const entry = statSync(join(directory, name))
    if (entry.isFile()) bytes += entry.blocks * BLOCK_BYTES
  }
  return bytes
}
