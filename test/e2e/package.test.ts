import { execFile } from 'node:child_process'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterTests } from '../support/after-tests.ts'
import { launchChromium } from '../support/chromium.ts'
import { openPage, textIs } from '../support/demo.ts'
import { serveFiles } from '../support/file-server.ts'
import { startServer } from '../support/process.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const APPLICATION = fileURLToPath(new URL('package', import.meta.url))
const YJS_WARNING = 'Yjs was already imported'
/** By which Yjs finds out that it is there twice. */
const YJS_MARK = '__ $YJS$ __'

const execute = promisify(execFile)

/** What `npm pack` makes of both packages as `npm run build` left them, installed into an application outside of this repository. */
interface Installation {
  /** The files in the tarball of the client, and in that of the server. */
  readonly files: ReadonlySet<string>
  readonly serverFiles: ReadonlySet<string>
  readonly application: string
  /** Where the package lies in the application. */
  readonly client: string
}

let installation: Installation
const releaseAll = afterTests()
let browser: Browser

beforeAll(async () => {
  installation = await install(await temporaryDirectory(releaseAll))
  browser = await launchChromium()
}, 180_000)

afterAll(() => browser.close())

async function install(application: string): Promise<Installation> {
  await cp(APPLICATION, application, { recursive: true })
  const { filename: client, files } = await pack('client', application)
  const { filename: server, files: serverFiles } = await pack('server', application)
  await writeFile(join(application, 'package.json'), JSON.stringify(manifest(`file:./${client}`, `file:./${server}`)))
  await npm(application, ['install', '--prefer-offline', '--no-audit', '--no-fund'])
  return { files, serverFiles, application, client: join(application, 'node_modules/@coedit/client') }
}

async function pack(
  workspace: 'client' | 'server',
  destination: string,
): Promise<{ filename: string; files: ReadonlySet<string> }> {
  const output = await npm(join(ROOT, workspace), ['pack', '--json', '--pack-destination', destination])
  const [tarball]: { filename: string; files: { path: string }[] }[] = JSON.parse(output)
  if (tarball === undefined) throw new Error('npm pack packed nothing')
  return { filename: tarball.filename, files: new Set(tarball.files.map(({ path }) => path)) }
}

/** With the oldest React and providers that the client works with. Types of the newest are those of this repository. */
function manifest(client: string, server: string): object {
  const react = { react: '18', 'react-dom': '18', '@types/react': '18', '@types/react-dom': '18' }
  // The types of Hocuspocus 2 name those of ws.
  const providers = { 'y-websocket': '2.1', '@hocuspocus/provider': '2.15', '@types/ws': '8' }
  return {
    private: true,
    type: 'module',
    dependencies: { '@coedit/client': client, '@coedit/server': server, yjs: '13', ...providers, ...react },
  }
}

async function npm(cwd: string, args: readonly string[]): Promise<string> {
  const { stdout } = await execute('npm', args, { cwd })
  return stdout
}

/** Runs a program of this repository in the application. */
async function run(program: string, args: readonly string[]): Promise<void> {
  const { NODE_ENV: _, ...env } = process.env
  const running = execute(process.execPath, [join(ROOT, 'node_modules', program), ...args], {
    cwd: installation.application,
    env,
  })
  await running.catch((cause) => {
    throw new Error(`${program} failed:\n${cause.stdout}\n${cause.stderr}`, { cause })
  })
}

/** Paths of what a package.json names under `exports`. */
function targets(exports: unknown): string[] {
  if (typeof exports === 'string') return [exports.replace('./', '')]
  return Object.values(exports ?? {}).flatMap(targets)
}

describe('the tarball', () => {
  test('has every file that `exports` names, and nothing but sources, what is built of them, and papers', async () => {
    const { exports } = JSON.parse(await readFile(join(installation.client, 'package.json'), 'utf8'))
    expect(Object.keys(exports)).toEqual(['.', './element', './react', './hocuspocus', './y-websocket', './standalone'])
    for (const target of targets(exports)) expect(installation.files).toContain(target)
    const papers = ['LICENSE', 'README.md', 'package.json']
    const others = [...installation.files].filter((file) => !/^(dist\/.*\.(js|d\.ts)(\.map)?|src\/.*\.ts)$/.test(file))
    expect(others.sort()).toEqual([...papers, 'dist/cjs/package.json'].sort())
  })

  test.each(['client', 'server'] as const)('of the %s has all that its papers link to', async (workspace) => {
    const files = workspace === 'client' ? installation.files : installation.serverFiles
    const papers = [...files].filter((file) => file.endsWith('.md'))
    expect(papers).toContain('README.md')
    expect(files).toContain('LICENSE')
    for (const paper of papers) {
      const text = await readFile(join(installation.application, 'node_modules/@coedit', workspace, paper), 'utf8')
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)\s#]+)/g)].map(([, link = '']) =>
        join(dirname(paper), link),
      )
      expect(links.filter((link) => !files.has(link))).toEqual([])
    }
  })

  test('marks the hooks as of the client, for server components', async () => {
    for (const file of ['dist/react.js', 'dist/cjs/react.js']) {
      expect(await readFile(join(installation.client, file), 'utf8')).toMatch(/^("use strict";\n)?'use client';\n/)
    }
  })

  test('has nothing built of a source that is gone', () => {
    const built = [...installation.files].filter((file) => /^dist\/(?!coedit).*\.js$/.test(file))
    const sourceOf = (file: string) => file.replace(/^dist\/(cjs\/)?/, 'src/').replace('.js', '.ts')
    const gone = built.filter((file) => !installation.files.has(sourceOf(file)))
    expect(gone, 'npm run build empties client/dist first').toEqual([])
  })

  test('leads from every map to a source that it has', async () => {
    const maps = [...installation.files].filter((file) => file.endsWith('.map'))
    expect(maps).toContain('dist/index.js.map')
    expect(maps).toContain('dist/index.d.ts.map')
    expect(maps).toContain('dist/coedit.js.map')
    for (const map of maps) {
      const { sources, sourcesContent } = JSON.parse(await readFile(join(installation.client, map), 'utf8'))
      for (const [index, source] of sources.entries()) {
        const isThere = sourcesContent?.[index] ?? installation.files.has(join(dirname(map), source))
        expect(isThere, `${map} leads to ${source}`).toBeTruthy()
      }
    }
  })

  test('brings no second Yjs', async () => {
    const files = await readdir(join(installation.application, 'node_modules'), { recursive: true })
    expect(files.filter((file) => /(^|\/)yjs\/package\.json$/.test(file))).toEqual(['yjs/package.json'])
  })
})

describe('in Node', () => {
  const whole = {
    edited: true,
    embedded: true,
    text: 'from the server',
    isOurs: true,
    isSame: [true, true],
    codes: ['X', 'X'],
  }
  const entries = /defineCoeditTextarea.*useConnection.*connectionOf/

  /** Runs one of the programs of the application; resolves with what it found and what stands on stderr. */
  async function runProgram(name: string, ...args: string[]): Promise<{ found: object; stderr: string }> {
    const program = join(installation.application, 'modules', name)
    const data = await temporaryDirectory(onTestFinished)
    const { stdout, stderr } = await execute(process.execPath, [program, data, ...args])
    return { found: JSON.parse(stdout), stderr }
  }

  test.each(['required.cjs', 'imported.mjs'])('both packages and the application have one Yjs: %s', async (program) => {
    const { found, stderr } = await runProgram(program)
    expect(found).toEqual(whole)
    expect(stderr).toMatch(entries)
    expect(stderr).not.toContain(YJS_WARNING)
    expect(stderr).not.toContain('ExperimentalWarning')
  })

  test('CommonJS that imports the packages takes their Y, and is told so where it takes another one', async () => {
    const { found } = await runProgram('mixed.cjs', 'ours')
    expect(found).toEqual(whole)
    const { found: foreign } = await runProgram('mixed.cjs', 'own')
    expect(foreign).toMatchObject({
      edited: { code: 'YJS_FOREIGN', message: expect.stringContaining('Y of @coedit/server') },
      embedded: 'YJS_FOREIGN',
    })
  })
})

test.each(['nodenext', 'bundler'])('TypeScript takes every entry, its own checks included: %s', async (resolution) => {
  const module = resolution === 'bundler' ? 'esnext' : resolution
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2023,dom,dom.iterable']
  const resolving = ['--module', module, '--moduleResolution', resolution, '--types', '']
  await run('typescript/bin/tsc', [...options, ...resolving, 'entries.ts'])
})

/** The Vite application at `/`, and the page without a bundler at `/plain.html`. */
async function serveApplication(): Promise<string> {
  const { application, client } = installation
  await run('vite/bin/vite.js', ['build', '--logLevel', 'warn'])
  const built = await readTexts(join(application, 'dist'))
  const scripts = [...built].filter(([name]) => name.endsWith('.js')).map(([, code]) => code)
  expect(scripts.join('').split(YJS_MARK)).toHaveLength(2)
  return serveFiles(
    onTestFinished,
    new Map([
      ...built,
      ['plain.html', await readFile(join(application, 'plain.html'), 'utf8')],
      ['coedit.js', await readFile(join(client, 'dist/coedit.js'), 'utf8')],
    ]),
  )
}

async function readTexts(directory: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const names = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const texts = names.map(async (name) => [name.slice(directory.length + 1), await readFile(name, 'utf8')] as const)
  return new Map(await Promise.all(texts))
}

/** What the consoles of the pages said. */
const said: string[] = []

async function open(address: string, server: string): Promise<Page> {
  const page = await openPage(browser, 'about:blank', onTestFinished)
  page.on('console', (message) => said.push(message.text()))
  await page.goto(`${address}?server=${encodeURIComponent(server)}`)
  return page
}

test('a Vite application with React 18 and a page without a bundler edit one text, and say when it is saved', async () => {
  const server = await startServer({ release: onTestFinished })
  const address = await serveApplication()
  const bundled = await open(address, server.url)
  const plain = await open(`${address}plain.html`, server.url)

  await bundled.locator('textarea').pressSequentially('hello')
  await textIs(plain, 'hello')
  await plain.locator('textarea').press('End')
  await plain.locator('textarea').pressSequentially(' you')
  await textIs(bundled, 'hello you')
  for (const page of [bundled, plain]) await page.waitForFunction(() => document.title === 'Saved')
  expect(said.filter((text) => text.includes(YJS_WARNING))).toEqual([])
})
