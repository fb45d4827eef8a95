import { execFile } from 'node:child_process'
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { pathOf } from '../support/papers.ts'
import { startServer } from '../support/process.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const execute = promisify(execFile)
const CONSUMERS = pathOf('test/consumers')
/** By which Yjs finds out that it is there twice. */
const YJS_MARK = '__ $YJS$ __'
const MINUTES = 60_000

async function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: object } = {},
): Promise<string> {
  const { NODE_ENV: _, NODE_OPTIONS: __, ...env } = process.env
  const settings = { cwd: CONSUMERS, ...options, env: { ...env, ...options.env }, maxBuffer: 1e8 }
  const running = execute(program, args, settings)
  const { stdout, stderr } = await running.catch((cause) => {
    throw new Error(`${program} ${args.join(' ')} failed:\n${cause.stdout}\n${cause.stderr}`, { cause })
  })
  return stdout + stderr
}

/** Runs a program that the consumers have installed. */
function node(file: string, args: readonly string[], options?: { cwd?: string; env?: object }): Promise<string> {
  return run(process.execPath, [join(CONSUMERS, 'node_modules', file), ...args], options)
}

/** Installs what the lock file has, and in it what `npm pack` makes of both packages as they are built. */
beforeAll(async () => {
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'])
  for (const workspace of ['client', 'server']) {
    const target = join(CONSUMERS, 'node_modules/@coedit', workspace)
    await mkdir(target, { recursive: true })
    const packed = await run('npm', ['pack', '--silent', '--pack-destination', target], { cwd: pathOf(workspace) })
    await run('tar', ['-xzf', packed.trim(), '--strip-components=1'], { cwd: target })
  }
}, 15 * MINUTES)

describe('TypeScript', () => {
  const ways = [
    ['typescript-5.0', 'node10', 'esnext'],
    ['typescript-5.0', 'node16', 'node16'],
    ['typescript-5.0', 'bundler', 'esnext'],
    ['typescript-5.9', 'node10', 'esnext'],
    ['typescript-5.9', 'node16', 'node16'],
    ['typescript-6', 'node10', 'esnext'],
    ['typescript-6', 'bundler', 'esnext'],
    ['../../../node_modules/typescript', 'node16', 'node16'],
    ['../../../node_modules/typescript', 'bundler', 'esnext'],
  ] as const

  test.each(ways)(
    '%s takes every entry: %s',
    { timeout: 5 * MINUTES },
    async (typescript, moduleResolution, module) => {
      const directory = join(CONSUMERS, `types-${process.pid}`)
      await mkdir(directory)
      onTestFinished(() => rm(directory, { recursive: true }))
      await copyFile(pathOf('test/e2e/package/entries.ts'), join(directory, 'entries.ts'))
      await copyFile(join(CONSUMERS, 'types/server.ts'), join(directory, 'server.ts'))
      await writeFile(join(directory, 'package.json'), '{ "type": "module" }')
      const compilerOptions = {
        ...{ module, moduleResolution, noEmit: true, strict: true, exactOptionalPropertyTypes: true, target: 'es2022' },
        ...{ lib: ['es2022', 'dom', 'dom.iterable'], types: ['node'] },
        // Before 5.7 the types of lib0, and so of every Yjs application, do not pass; those of the server's libraries neither.
        skipLibCheck: true,
        ...(typescript === 'typescript-6' && { ignoreDeprecations: '6.0' }),
      }
      const files = ['entries.ts', 'server.ts']
      await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
      await node(`${typescript}/bin/tsc`, ['-p', directory])
    },
  )
})

test('Jest tests applications in Node and in jsdom', { timeout: 5 * MINUTES }, async () => {
  const server = await startServer({ release: onTestFinished })
  const env = { COEDIT_URL: server.url }
  const told = await node('jest/bin/jest.js', ['--rootDir', '.'], { cwd: join(CONSUMERS, 'jest'), env })
  expect(told).toContain('2 passed')
})

describe('a bundle of what is imported and required has one Yjs', () => {
  async function marksIn(directory: string): Promise<number> {
    const files = (await readdir(directory)).filter((name) => name.endsWith('.js'))
    const code = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')))
    return code.join('').split(YJS_MARK).length - 1
  }

  test('by esbuild', { timeout: 5 * MINUTES }, async () => {
    const out = await temporaryDirectory(onTestFinished)
    const args = ['--bundle', '--format=esm', '--platform=browser', '--log-level=warning', `--outdir=${out}`]
    await run(join(CONSUMERS, 'node_modules/.bin/esbuild'), ['bundled/imports.mjs', ...args])
    expect(await marksIn(out)).toBe(1)
  })

  test('by webpack 5', { timeout: 5 * MINUTES }, async () => {
    const path = await temporaryDirectory(onTestFinished)
    const config = {
      mode: 'development',
      devtool: false,
      context: CONSUMERS,
      entry: './bundled/imports.mjs',
      output: { path },
    }
    const program = `
      require('webpack')(${JSON.stringify(config)}, (error, stats) => {
        if (error || stats.hasErrors() || stats.hasWarnings()) throw error ?? new Error(stats.toString())
      })`
    await run(process.execPath, ['--eval', program])
    expect(await marksIn(path)).toBe(1)
  })
})

test('Next.js builds pages of its app router with the hooks', { timeout: 10 * MINUTES }, async () => {
  const application = join(CONSUMERS, 'next')
  onTestFinished(() => rm(join(application, '.next'), { recursive: true, force: true }))
  await node('next/dist/bin/next', ['build'], { cwd: application, env: { NEXT_TELEMETRY_DISABLED: '1' } })
  const page = await readFile(join(application, '.next/server/app/index.html'), 'utf8')
  expect(page).toContain('<textarea title="Saving…">')
})
