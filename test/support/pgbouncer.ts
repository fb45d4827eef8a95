import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from './postgres.ts'
import { canInstall, findProgram, install } from './programs.ts'
import { type Release, temporaryDirectory } from './temporary.ts'

/** Why tests are skipped that need it. */
export const NO_PGBOUNCER = 'no PgBouncer found: install it with the package manager of your system'

/** Installs PgBouncer where that needs nobody's consent. Elsewhere the tests that need it are skipped, and say so. */
export function providePgBouncer(): void {
  if (findPgBouncer() === undefined && canInstall()) install('pgbouncer')
}

export function findPgBouncer(): string | undefined {
  return findProgram('pgbouncer')
}

/**
 * Starts a PgBouncer that hands out connections to the database server at `url` by transaction, and resolves with the URL
 * of the same database through it.
 */
export async function startPgBouncer(release: Release, url: string): Promise<string> {
  const program = findPgBouncer()
  if (program === undefined) throw new Error(NO_PGBOUNCER)
  const { hostname, port, pathname } = new URL(url)
  const directory = await temporaryDirectory(release)
  await chmod(directory, 0o755)
  const listenPort = await freePort()
  const configuration = join(directory, 'pgbouncer.ini')
  await writeFile(
    configuration,
    [
      '[databases]',
      `* = host=${hostname} port=${port} user=postgres`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${listenPort}`,
      'unix_socket_dir =',
      'auth_type = any',
      'pool_mode = transaction',
      'default_pool_size = 2',
      'server_tls_sslmode = disable',
    ].join('\n'),
  )
  // It does not run as root.
  const user = process.getuid?.() === 0 ? ['-u', 'postgres'] : []
  const child = spawn(program, [...user, configuration], { stdio: ['ignore', 'ignore', 'pipe'] })
  release(async () => {
    if (child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGINT')
    child.kill('SIGKILL')
    await exited
  })
  await new Promise<void>((resolve, reject) => {
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('process up')) resolve()
    })
    child.once('exit', () => reject(new Error(`PgBouncer ended before it was ready:\n${said}`)))
  })
  return `postgres://postgres@127.0.0.1:${listenPort}${pathname}`
}
