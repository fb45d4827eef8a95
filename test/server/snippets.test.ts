import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Block, blockIn, blocksIn, pathOf } from '../support/papers.ts'

const execute = promisify(execFile)

const READMES = [
  'README.md',
  'client/README.md',
  'server/README.md',
  'server/MIGRATION.md',
  'test/bench/README.md',
  'test/faults/README.md',
]

/** Languages that TypeScript checks, and the names that files in them have. */
const MODULES: Readonly<Record<string, string>> = {
  js: 'ts',
  ts: 'ts',
  tsx: 'tsx',
  html: 'ts',
  vue: 'ts',
  svelte: 'ts',
}
/** Others: commands and what they print, drawings, what nginx.test.ts runs, and what JSON.parse takes. */
const OTHERS = ['', 'sh', 'text', 'nginx', 'json']

interface Snippet {
  readonly name: string
  readonly code: string
}

/** The modules in a block, as files. */
function modulesIn(readme: string, { language, code, line }: Block): Snippet[] {
  const ending = MODULES[language]
  // Angular brings a compiler of its own, which readme.test.ts runs.
  if (ending === undefined || code.includes("from '@angular/core'")) return []
  const scripts = [...code.matchAll(/<script .*?>(.*?)<\/script>/gs)].map(([, script = '']) => script)
  const modules = /html|vue|svelte/.test(language) ? scripts : [forSolid(code)]
  return modules.map((module, n) => ({ name: `${readme.replaceAll('/', '-')}-${line}-${n}.${ending}`, code: module }))
}

/** In an application with Solid the options of the compiler say this. */
function forSolid(code: string): string {
  return code.includes("from 'solid-js'") ? `/** @jsxImportSource solid-js */${code}` : code
}

async function snippets(): Promise<Snippet[]> {
  const found = await Promise.all(
    READMES.map(async (readme) => (await blocksIn(readme)).flatMap((block) => modulesIn(readme, block))),
  )
  return found.flat()
}

/** A directory inside of the repository, where packages are found, until the end of the test. */
async function directoryInside(): Promise<string> {
  const parent = pathOf('node_modules/.cache')
  await mkdir(parent, { recursive: true })
  const directory = await mkdtemp(join(parent, 'snippets-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  return directory
}

/** Resolves with what TypeScript says of these files, as an application that checks strictly would have it. */
async function check(files: readonly Snippet[]): Promise<string> {
  const directory = await directoryInside()
  const config = {
    extends: pathOf('tsconfig.json'),
    compilerOptions: {
      ...{ composite: false, noEmit: true, noUnusedLocals: false, noUnusedParameters: false, jsx: 'react-jsx' },
      ...{ moduleDetection: 'force', lib: ['es2023', 'dom', 'dom.iterable'], types: ['node', 'svelte'] },
      // The packages as they are built.
      ...{ rewriteRelativeImportExtensions: false, customConditions: [] },
    },
    files: files.map(({ name }) => name),
    references: [],
  }
  const standalone = "export * from '@coedit/client/standalone'"
  const beside = {
    'tsconfig.json': JSON.stringify(config),
    'package.json': '{ "type": "module" }',
    'coedit.ts': standalone,
  }
  for (const [name, code] of Object.entries(beside)) await writeFile(join(directory, name), code)
  for (const { name, code } of files) await writeFile(join(directory, name), code)
  const typescript = execute(process.execPath, [pathOf('node_modules/typescript/bin/tsc'), '--project', directory])
  return typescript.then(
    () => '',
    ({ stdout }) => stdout,
  )
}

test('every module that a README shows is complete, and TypeScript takes it as it stands', async () => {
  const modules = await snippets()
  expect(modules.length).toBeGreaterThan(15)
  expect(await check(modules)).toBe('')
  expect(
    await check([{ name: 'wrong.ts', code: "import { connect } from '@coedit/client'; connect({ url: '' })" }]),
  ).toMatch(/wrong\.ts.*document/)
})

test.each(READMES)('%s shows nothing that no test knows, and JSON that is JSON', async (readme) => {
  const blocks = await blocksIn(readme)
  const languages = new Set([...Object.keys(MODULES), ...OTHERS])
  expect(blocks.map(({ language }) => language).filter((language) => !languages.has(language))).toEqual([])
  for (const { code } of blocks.filter(({ language }) => language === 'json'))
    expect(() => JSON.parse(code)).not.toThrow()
})

describe('programs in server/README.md run', () => {
  /** Runs the first program under a heading, with lines of the test behind it. Resolves with what it prints. */
  async function run(heading: string, ...lines: string[]): Promise<string> {
    const program = await blockIn('server/README.md', heading, 'js')
    const cwd = await directoryInside()
    const elsewhere = program.replace('listen(3000)', "listen(0, '127.0.0.1')").replace("'./data'", "'./data', port: 0")
    await writeFile(join(cwd, 'program.mjs'), [elsewhere, ...lines].join('\n'))
    const { stdout } = await execute(process.execPath, ['program.mjs'], { cwd })
    return stdout
  }

  test('Documents in your code', async () => {
    const shown = await run(
      '### Documents in your code',
      "console.log(words, doc.getText('content').toString(), update.length > 0)",
      'await coedit.close()',
    )
    expect(shown).toBe('5  Written by the server. true\n')
  })

  test('In your own server', async () => {
    const shown = await run(
      '## In your own server',
      "if (!yourServer.listening) await new Promise((resolve) => yourServer.once('listening', resolve))",
      "const address = 'http://127.0.0.1:' + yourServer.address().port",
      "console.log(await (await fetch(address + '/collaboration/health')).text())",
      'await coedit.close()',
      'yourServer.close()',
    )
    expect(shown).toBe('{"status":"ok"}\n')
  })

  test('Hooks', async () => {
    const shown = await run(
      '### Hooks',
      "globalThis.fetch = async (address) => new Response('template of ' + address)",
      "await coedit.edit('a b', (doc) => doc.getText('content').insert(0, 'The '))",
      'await coedit.close()',
      'console.log(searchIndex)',
    )
    expect(shown).toContain("text: 'The template of https://app.example.com/templates/a%20b'")
  })

  test('By your own function', async () => {
    const shown = await run(
      '### By your own function',
      'await coedit.listen()',
      "const ask = (token) => fetch(coedit.url + 'api/documents/' + token.document + '/events?token=' + token.token)",
      "for (const [document, token] of [['notes', 'none'], ['other', 'a-token'], ['notes', 'a-token']]) {",
      '  const { status, body } = await ask({ document, token })',
      '  console.log(status)',
      '  await body.cancel()',
      '}',
      'await coedit.close()',
    )
    expect(shown).toBe('401\n403\n200\n')
  })
})
