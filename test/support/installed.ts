import { execFile } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/**
 * Installs the packages of a directory as its lock file has them, unless that was done since the file last changed.
 *
 * @param isWhole whether its devDependencies are needed as well
 */
export async function installPackages(directory: string, what: string, isWhole = true): Promise<void> {
  const modified = (file: string) => statSync(join(directory, file), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const { dependencies, devDependencies } = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'))
  const needed = Object.keys(isWhole ? { ...dependencies, ...devDependencies } : dependencies)
  const isThere = needed.every((name) => existsSync(join(directory, 'node_modules', name)))
  if (isThere && modified('node_modules/.package-lock.json') >= modified('package-lock.json')) return
  console.error(`installing ${what} (once)`)
  const args = ['ci', '--prefer-offline', '--no-audit', '--no-fund', ...(isWhole ? [] : ['--omit=dev'])]
  await promisify(execFile)('npm', args, { cwd: directory })
}
