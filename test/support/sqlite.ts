import { spawn, spawnSync } from 'node:child_process'
import { canInstall, findProgram, install } from './programs.ts'
import type { Release } from './temporary.ts'

const PROGRAM = 'sqlite3'
const DONE = 'done'

/** Why tests are skipped that need it. */
export const NO_SQLITE = 'no sqlite3 found: install it with the package manager of your system'

/** Installs SQLite's own program where that needs nobody's consent. */
export function provideSqlite(): void {
  if (!hasSqlite() && canInstall()) install(PROGRAM)
}

export function hasSqlite(): boolean {
  return findProgram(PROGRAM) !== undefined
}

/** Has SQLite's own program execute lines of SQL, and commands of its own such as `.dbconfig`. */
export function executeSqlite(file: string, ...lines: readonly string[]): void {
  const { status, stderr } = spawnSync(PROGRAM, ['-bail', file], { input: lines.join('\n'), encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

/** The same, and resolves while the program still has the file open, with what kills it; the release does so, too. */
export async function holdSqlite(release: Release, file: string, ...lines: readonly string[]) {
  const child = spawn(PROGRAM, ['-bail', file], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const kill = () => {
    child.kill('SIGKILL')
    return ended
  }
  release(kill)
  child.stdin.write(`${[...lines, `SELECT '${DONE}';`].join('\n')}\n`)
  for await (const output of child.stdout.iterator({ destroyOnReturn: false })) {
    if (String(output).includes(DONE)) return kill
  }
  throw new Error('sqlite3 ended')
}

/** Bytes as SQL has them. */
export function blob(bytes: Uint8Array): string {
  return `X'${Buffer.from(bytes).toString('hex')}'`
}
