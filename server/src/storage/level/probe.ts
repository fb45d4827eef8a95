import { open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

const PROBE_FILE = 'probe.tmp'
const SLACK_BYTES = 64 * 1024
const BLOCK_BYTES = 1024 * 1024

/**
 * Rejects unless the disk takes as much as LevelDB needs to recover and then write `bytes`: opening it writes the
 * content of its log into a table. A failed attempt to open would cost the reads that the old handle still serves.
 */
export async function probeDisk(directory: string, bytes: number): Promise<void> {
  const path = join(directory, PROBE_FILE)
  try {
    await writeZeros(path, (await logBytes(directory)) + bytes + SLACK_BYTES)
  } finally {
    await rm(path, { force: true })
  }
}

async function logBytes(directory: string): Promise<number> {
  const logs = (await readdir(directory)).filter((name) => name.endsWith('.log'))
  const sizes = await Promise.all(logs.map(async (name) => (await stat(join(directory, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function writeZeros(path: string, bytes: number): Promise<void> {
  const block = new Uint8Array(BLOCK_BYTES)
  const file = await open(path, 'w')
  try {
    for (let left = bytes; left > 0; left -= block.length) {
      await file.writeFile(left < block.length ? block.subarray(0, left) : block)
    }
    await file.sync()
  } finally {
    await file.close()
  }
}
