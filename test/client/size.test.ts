import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { expect, test } from 'vitest'

const CLIENT = fileURLToPath(new URL('../../client', import.meta.url))
/** Of a file that is not there but in the build. */
const ENTRY = `${CLIENT}/entry.js`
/** What every application with a Yjs editor has already. */
const YJS = /^(yjs|lib0|y-protocols)(\/|$)/

/** In an application that has the parts that it stands on: what several of them share is counted once. */
interface Budget {
  readonly what: string
  readonly names: readonly string[]
  /** What the application has already. Default: nothing. */
  readonly beside?: readonly string[]
  /** Units of 1,024 bytes, minified and gzipped, every chunk counted. */
  readonly kilobytes: number
  /** What is left out. Default: nothing. */
  readonly external?: RegExp
}

const BUDGETS: readonly Budget[] = [
  // Of it 1.5 KB measure lines, which no browser tells in every case, and WebKit and older ones in none.
  { what: 'the binding', names: ['bindTextarea'], beside: ['connect'], kilobytes: 6.5, external: YJS },
  {
    what: 'the overlay',
    names: ['showPeers'],
    beside: ['bindTextarea', 'connect', 'watchPresence'],
    kilobytes: 3.3,
    external: YJS,
  },
  {
    what: 'connect, binding and yjs',
    names: ['bindTextarea', 'connect'],
    kilobytes: 37.6,
    external: /\/(offline|http-socket)\.ts$/,
  },
  {
    what: 'connect, binding, overlay, offline copy and yjs',
    names: ['bindTextarea', 'connect', 'showPeers'],
    kilobytes: 43.4,
    external: /\/http-socket\.ts$/,
  },
]

/** Bundles a module as an application would, and answers with its chunks by name. */
async function bundle(module: string, external?: RegExp): Promise<ReadonlyMap<string, string>> {
  const entry = {
    name: 'entry',
    resolveId: (id: string) => (id === ENTRY ? id : undefined),
    load: (id: string) => (id === ENTRY ? module : undefined),
  }
  const result = await build({
    root: CLIENT,
    configFile: false,
    logLevel: 'error',
    plugins: [entry],
    resolve: { conditions: ['@coedit/source', 'module', 'browser', 'production'] },
    build: {
      target: 'es2022',
      write: false,
      lib: { entry: ENTRY, formats: ['es'], fileName: 'entry' },
      rolldownOptions: { output: { minify: true }, ...(external && { external }) },
    },
  })
  const chunks = new Map<string, string>()
  for (const part of [result].flat()) {
    if (!('output' in part)) throw new Error('a build that watches has no output')
    for (const file of part.output) if (file.type === 'chunk') chunks.set(file.fileName, file.code)
  }
  return chunks
}

async function bytesOf(names: readonly string[], external?: RegExp): Promise<number> {
  if (names.length === 0) return 0
  const chunks = await bundle(`export { ${names.join(', ')} } from '@coedit/client'`, external)
  return [...chunks.values()].reduce((sum, code) => sum + gzipSync(code).byteLength, 0)
}

test.each(BUDGETS)('$what: at most $kilobytes KB', async ({ what, names, beside = [], kilobytes, external }) => {
  const bytes = (await bytesOf([...beside, ...names], external)) - (await bytesOf(beside, external))
  const figures = `${what}: ${(bytes / 1024).toFixed(2)} KB gzipped, ${kilobytes} KB allowed`
  console.log(figures)
  expect(bytes, figures).toBeLessThanOrEqual(kilobytes * 1024)
})

test.each([
  ['y-websocket', 3.2],
  ['hocuspocus', 2.9],
])('what makes a connection of a provider of %s: at most %d KB', async (entry, kilobytes) => {
  const module = `export { connectionOf } from '@coedit/client/${entry}'`
  const chunks = [...(await bundle(module, YJS)).values()]
  const bytes = chunks.reduce((sum, code) => sum + gzipSync(code).byteLength, 0)
  console.log(`${entry}: ${(bytes / 1024).toFixed(2)} KB gzipped, ${kilobytes} KB allowed`)
  expect(bytes).toBeLessThanOrEqual(kilobytes * 1024)
})

test('what takes the place of a blocked WebSocket is a chunk of its own, of at most 1.5 KB', async () => {
  const chunks = await bundle(`export { connect } from '@coedit/client'`)
  const withRequests = [...chunks].filter(([, code]) => code.includes('Coedit-Client'))
  expect(withRequests.map(([name]) => name)).toEqual([expect.stringMatching(/^http-socket/)])
  const bytes = gzipSync(withRequests[0][1]).byteLength
  console.log(`http-socket: ${(bytes / 1024).toFixed(2)} KB gzipped, 1.5 KB allowed`)
  expect(bytes).toBeLessThanOrEqual(1.5 * 1024)
})

test('the module for pages without a bundler: at most 50 KB, as it is built', async () => {
  const { byteLength } = gzipSync(await readFile(`${CLIENT}/dist/coedit.js`))
  const figures = `dist/coedit.js: ${(byteLength / 1024).toFixed(2)} KB gzipped, 50 KB allowed`
  console.log(figures)
  expect(byteLength, figures).toBeLessThanOrEqual(50 * 1024)
})

test('the offline copy is a chunk of its own, that is loaded where it is asked for', async () => {
  const chunks = await bundle(`export { connect } from '@coedit/client'`)
  const withDatabase = [...chunks].filter(([, code]) => code.includes('indexedDB')).map(([name]) => name)
  expect(withDatabase).not.toContain('entry.js')
  expect(withDatabase).toHaveLength(1)
})
