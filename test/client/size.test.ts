import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { expect, test } from 'vitest'

const CLIENT = fileURLToPath(new URL('../../client', import.meta.url))
/** Of a file that is not there but in the build. */
const ENTRY = `${CLIENT}/entry.js`
/** What every application with a Yjs editor has already. */
const YJS = /^(yjs|lib0|y-protocols)(\/|$)/

interface Budget {
  readonly what: string
  readonly module: string
  /** Kilobytes of 1000 bytes, minified and gzipped, every chunk counted. */
  readonly kilobytes: number
  readonly external?: RegExp
}

const BUDGETS: readonly Budget[] = [
  { what: 'the binding', module: `export { bindTextarea } from '@coedit/client'`, kilobytes: 4, external: YJS },
  { what: 'the overlay', module: `export { showPeers } from '@coedit/client'`, kilobytes: 3, external: YJS },
  {
    what: 'connect, binding and yjs',
    module: `export { bindTextarea, connect } from '@coedit/client'`,
    kilobytes: 34,
    external: /\/offline\.ts$/,
  },
  {
    what: 'connect, binding, overlay, offline copy and yjs',
    module: `export { bindTextarea, connect, showPeers } from '@coedit/client'`,
    kilobytes: 40,
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

function gzipped(chunks: ReadonlyMap<string, string>): number {
  return [...chunks.values()].reduce((sum, code) => sum + gzipSync(code).byteLength, 0)
}

test.each(BUDGETS)('$what: at most $kilobytes KB', async ({ what, module, kilobytes, external }) => {
  const size = gzipped(await bundle(module, external)) / 1000
  const figures = `${what}: ${size.toFixed(1)} KB gzipped, ${kilobytes} KB allowed`
  console.log(figures)
  expect(size, figures).toBeLessThanOrEqual(kilobytes)
})

test('the offline copy is a chunk of its own, that is loaded where it is asked for', async () => {
  const chunks = await bundle(`export { connect } from '@coedit/client'`)
  const withDatabase = [...chunks].filter(([, code]) => code.includes('indexedDB')).map(([name]) => name)
  expect(withDatabase).not.toContain('entry.js')
  expect(withDatabase).toHaveLength(1)
})
