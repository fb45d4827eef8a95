import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const PEERS = fileURLToPath(new URL('../peers', import.meta.url))

/** Installs the other servers as their lock file has them, unless that was done since the file last changed. */
export async function installPeers(): Promise<void> {
  if (modified('node_modules/.package-lock.json') >= modified('package-lock.json')) return
  console.error('Installing the servers to compare with (once) …')
  await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund'], { cwd: PEERS })
}

function modified(file: string): number {
  return statSync(join(PEERS, file), { throwIfNoEntry: false })?.mtimeMs ?? 0
}
