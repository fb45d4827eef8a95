import { resolve } from 'node:path'
import { build, type InlineConfig } from 'vite'
import { frameworks } from './frameworks.ts'

/** Packages that stand for others: another version, say. */
export type Alias = Readonly<Record<string, string>>

const CONDITIONS = ['@coedit/source', 'module', 'browser', 'development|production']

/**
 * Bundles a module with all that it imports, workspace packages from their sources, into one classic script. What the
 * module exports becomes the global variable `name`. Packages are in their development mode, with all their checks.
 */
export async function bundleScript(entry: string, name: string, alias: Alias = {}): Promise<string> {
  const files = await bundle({
    resolve: { alias },
    // Of libraries Vite leaves this to the bundlers that follow; none follows here.
    define: { 'process.env.NODE_ENV': JSON.stringify('development') },
    build: { lib: { entry, name, formats: ['iife'], fileName: () => 'script.js' } },
  })
  const script = files.get('script.js')
  if (script === undefined) throw new Error(`bundling ${entry} gave no script`)
  return script
}

/**
 * Builds a page as an application in the directory `root` would. The answer has its files, `index.html` among them.
 *
 * @param modules sources of the application beside the page, by names such as `Notes.tsx`
 */
export function bundlePage(
  html: string,
  root: string,
  modules: Readonly<Record<string, string>> = {},
  alias: Alias = {},
): Promise<ReadonlyMap<string, string>> {
  const sources = new Map(
    Object.entries({ 'index.html': html, ...modules }).map(([name, source]) => [resolve(root, name), source]),
  )
  const application = {
    name: 'application',
    resolveId: (id: string) => [id, resolve(root, id)].find((path) => sources.has(path)),
    load: (id: string) => sources.get(id),
  }
  return bundle({
    root,
    base: './',
    plugins: [application, frameworks],
    resolve: { alias },
    build: { rolldownOptions: { input: resolve(root, 'index.html') } },
  })
}

async function bundle({
  build: options,
  resolve: resolving,
  ...config
}: InlineConfig): Promise<ReadonlyMap<string, string>> {
  const result = await build({
    ...config,
    configFile: false,
    logLevel: 'error',
    resolve: { ...resolving, conditions: CONDITIONS },
    build: { ...options, write: false },
  })
  const files = new Map<string, string>()
  for (const part of [result].flat()) {
    if (!('output' in part)) throw new Error('a build that watches has no output')
    for (const file of part.output) files.set(file.fileName, file.type === 'chunk' ? file.code : String(file.source))
  }
  return files
}
