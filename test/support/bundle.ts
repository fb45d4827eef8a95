import { build } from 'vite'

/**
 * Bundles a module with all that it imports, workspace packages from their sources, into one classic script. What the
 * module exports becomes the global variable `name`.
 */
export async function bundleScript(entry: string, name: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@coedit/source', 'module', 'browser', 'development|production'] },
    build: { write: false, lib: { entry, name, formats: ['iife'] } },
  })
  for (const { output } of [result].flat().filter((part) => 'output' in part)) {
    for (const file of output) if (file.type === 'chunk' && file.isEntry) return file.code
  }
  throw new Error(`bundling ${entry} gave no script`)
}
