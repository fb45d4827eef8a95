import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Release, temporaryDirectory } from './temporary.ts'

const BIN = fileURLToPath(new URL('../../server/bin/coedit.js', import.meta.url))
/** What runs TypeScript of this repository in a process of its own. */
const SOURCE_ARGUMENTS = ['--import', 'tsx', '--conditions=@coedit/source']
const READY = /^coedit is ready on (\S+)\n/m

/** How a process ended: by `code`, or by `signal` where something killed it. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  /** The same as it came. */
  readonly stdoutBytes: Uint8Array
  readonly stderr: string
}

/** A running `coedit`, started from its built bin. */
export interface ServerProcess {
  /** With a slash at the end, as the ready line names it. */
  readonly url: string
  readonly pid: number
  /** Its data directory, which outlives the process until the release. */
  readonly data: string
  /** What it has logged so far. */
  stderr(): string
  /** Resolves when it has logged this, now or before. */
  logs(text: string): Promise<void>
  /** Sends the signal (default SIGKILL) and waits for the end. */
  kill(signal?: NodeJS.Signals): Promise<Exit>
  /** Resolves when the process ends, whatever ends it. */
  readonly exited: Promise<Exit>
}

export interface ServerProcessOptions {
  /** Where the clean-up goes: the process is killed and a data directory made for it is removed. */
  readonly release: Release
  /** Flags beside `--port 0` and `--data`; later flags win. */
  readonly flags?: readonly string[]
  /** Default: a directory of its own. Pass the one of a killed server to start on what it left. */
  readonly data?: string
  /** Variables beside PATH. */
  readonly env?: NodeJS.ProcessEnv
  /** What runs it, and with which arguments. Default: this Node. */
  readonly runtime?: readonly string[]
}

/** Starts a server and waits for its ready line. Rejects with its stderr if it ends before. */
export async function startServer(options: ServerProcessOptions): Promise<ServerProcess> {
  const { release, flags = [], data, env, runtime = [process.execPath] } = options
  const directory = data ?? (await temporaryDirectory(release))
  return started(
    launchProgram(release, [...runtime, BIN, '--port', '0', '--data', directory, ...flags], env),
    directory,
  )
}

/**
 * Starts a program of test/support that embeds a server on the directory `data`, and waits for the same ready line. As
 * an application it has the built package, which starts in half the time that its sources take.
 */
export function startEmbedding(release: Release, program: string, data: string): Promise<ServerProcess> {
  return started(launch(release, [pathOf(program), data]), data)
}

async function started({ child, output, exited }: Launched, data: string): Promise<ServerProcess> {
  const url = await Promise.race([readyUrl(child, output), exited.then(failedToStart)])
  if (child.pid === undefined) throw new Error('a process without a pid printed the ready line')
  return {
    url,
    pid: child.pid,
    data,
    stderr: () => output.stderr,
    logs: (text) => logged(child, output, text),
    kill: (signal = 'SIGKILL') => {
      child.kill(signal)
      return exited
    },
    exited,
  }
}

/** Runs `coedit` with the arguments and nothing added, until it ends by itself. */
export function runCoedit(release: Release, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Exit> {
  return runNode(release, BIN, args, env)
}

/** Runs a script until it ends by itself. */
export function runNode(
  release: Release,
  script: string,
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<Exit> {
  return launch(release, [script, ...args], env).exited
}

/** Runs a program of test/support until it ends by itself. */
export function runProgram(release: Release, program: string, ...args: readonly string[]): Promise<Exit> {
  return launch(release, [...SOURCE_ARGUMENTS, pathOf(program), ...args]).exited
}

/** A `coedit` that cannot write more than a little to any file, as on a full disk. */
export interface CrampedProcess {
  /** Resolves when it has logged this, now or before. */
  logs(text: string): Promise<void>
  /** Takes the limit away. */
  makeRoom(): Promise<void>
  readonly exited: Promise<Exit>
}

/** Runs `coedit` with files of at most so many bytes. */
export function runCramped(release: Release, bytes: number, args: readonly string[]): CrampedProcess {
  const limited = ['prlimit', `--fsize=${bytes}:unlimited`, process.execPath, BIN, ...args]
  const { child, output, exited } = launchProgram(release, limited)
  return {
    logs: (text) => logged(child, output, text),
    makeRoom: async () => void (await promisify(execFile)('prlimit', [`--pid=${child.pid}`, '--fsize=unlimited'])),
    exited,
  }
}

function pathOf(program: string): string {
  return fileURLToPath(new URL(program, import.meta.url))
}

interface Output {
  stdout: string
  stderr: string
}

interface Launched {
  readonly child: ChildProcessWithoutNullStreams
  readonly output: Output
  readonly exited: Promise<Exit>
}

/** Starts Node with these arguments. */
function launch(release: Release, args: readonly string[], env?: NodeJS.ProcessEnv): Launched {
  return launchProgram(release, [process.execPath, ...args], env)
}

function launchProgram(
  release: Release,
  [program = '', ...args]: readonly string[],
  env?: NodeJS.ProcessEnv,
): Launched {
  // Only PATH is inherited: a COEDIT_ variable of the developer must not reach the server under test.
  const child = spawn(program, args, { env: { PATH: process.env.PATH, ...env } })
  const output: Output = { stdout: '', stderr: '' }
  const written: Buffer[] = []
  child.stdout.on('data', (bytes: Buffer) => {
    written.push(bytes)
    output.stdout = Buffer.concat(written).toString()
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  const exited = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, ...output, stdoutBytes: Buffer.concat(written) }))
  })
  release(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return { child, output, exited }
}

function readyUrl(child: ChildProcessWithoutNullStreams, output: Output): Promise<string> {
  return new Promise((resolve) => {
    child.stdout.on('data', () => {
      const url = READY.exec(output.stdout)?.[1]
      if (url !== undefined) resolve(url)
    })
  })
}

function logged(child: ChildProcessWithoutNullStreams, output: Output, text: string): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (!output.stderr.includes(text)) return
      child.stderr.off('data', look)
      resolve()
    }
    child.stderr.on('data', look)
    look()
  })
}

function failedToStart({ code, signal, stderr }: Exit): never {
  throw new Error(`coedit ended with ${signal ?? `code ${code}`} before it was ready:\n${stderr}`)
}
