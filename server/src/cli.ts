import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { commandHelp, helpText } from './commands/help.ts'
import { commands } from './commands/index.ts'
import { CoeditError, ERRORS } from './common/errors.ts'
import { createLog } from './common/log.ts'
import { keepAlive } from './common/timing.ts'
import { configFromProcess } from './config/config.ts'
import type { CoeditServer } from './index.ts'

/** The exit code where the server or a command failed and the error has none of its own. */
const FAILURE = 1

/** Windows sends other ones: for Ctrl-Break, and where the window is closed. */
const SIGNALS = process.platform === 'win32' ? ['SIGINT', 'SIGBREAK', 'SIGHUP'] : ['SIGINT', 'SIGTERM']

await keepAlive(main(process.argv.slice(2))).catch(fail)

async function main(argv: readonly string[]): Promise<void> {
  const [name, ...rest] = argv
  const command = commands.find((candidate) => candidate.name === name)
  if (argv.includes('--help')) return print(command ? commandHelp(command) : helpText())
  if (argv.includes('--version')) return print(`${version()}\n`)
  if (command) return command.run(rest, process.env, print)

  const config = configFromProcess(argv, process.env)
  const log = createLog(config.logLevel)
  // Half of what is to be loaded, which no command needs.
  const { createServer } = await import('./index.ts')
  const server = createServer(config, { log })
  if (process.env.DATABASE_URL && config.database === '') {
    log.warn({ data: config.data }, 'DATABASE_URL is not used: documents are kept in data')
  }
  await server.listen()
  closeOnSignal(server)
  print(`coedit is ready on ${server.url}\n`)
}

/** The first signal closes the server, which ends the process; a second one ends it at once. */
function closeOnSignal(server: CoeditServer): void {
  let closing = false
  const onSignal = () => {
    if (closing) process.exit(FAILURE)
    closing = true
    server.close().then(() => process.exit(), fail)
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
}

/** What was raised on purpose is told in one line; anything else is a fault of the program and shows its stack. */
function fail(error: unknown): void {
  if (!(error instanceof CoeditError)) throw error
  console.error(`coedit: ${error.message} (${error.code})`)
  process.exit(ERRORS[error.code].exit ?? FAILURE)
}

function print(output: string | Uint8Array): void {
  process.stdout.write(output)
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return z.object({ version: z.string() }).parse(manifest).version
}
