import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Where servers lie, which is not on everybody's PATH. */
const SYSTEM_DIRECTORIES = ['/usr/sbin', '/usr/local/sbin']

/** The path of the first of these programs that is installed. */
export function findProgram(...names: readonly string[]): string | undefined {
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_DIRECTORIES]
  return names.flatMap((name) => directories.map((directory) => join(directory, name))).find(isExecutable)
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Whether packages may be installed without asking anybody: on Debian as root, which is what CI containers are. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/etc/debian_version')
}

/** Installs packages of Debian. A failure is told, and left to whoever misses the program. */
export function install(...packages: readonly string[]): void {
  const names = packages.join(' ')
  console.error(`installing ${names} with apt-get`)
  const { status } = spawnSync(`apt-get update && apt-get install -y --no-install-recommends ${names}`, {
    shell: true,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  if (status !== 0) console.error(`installing ${names} failed: apt-get exited with ${status}`)
}
