import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Plugin, transformWithOxc } from 'vite'
import { installPackages } from './installed.ts'
import { pathOf } from './papers.ts'

/** Where Angular is installed on first use: its compiler takes 90 MB. */
export const ANGULAR = pathOf('test/angular')

/**
 * Compiles components as the plug-ins of their frameworks do: `.vue`, `.svelte`, Solid's as `Solid.tsx` and Angular's as
 * `Angular.ts`. Each compiler is loaded where it is used: together they take most of a second, in every file with a page.
 */
export const frameworks: Plugin = {
  name: 'frameworks',
  enforce: 'pre',
  async transform(code, id) {
    if (id.endsWith('.vue')) return script(await fromVue(code, id))
    if (id.endsWith('.svelte')) return script(await fromSvelte(code, id))
    if (id.endsWith('Solid.tsx')) return script(await fromSolid(code, id))
    if (id.endsWith('Angular.ts')) return script(await fromAngular(code))
    return null
  },
}

function script(code: string) {
  return { code, moduleType: 'js' }
}

async function fromSvelte(code: string, filename: string): Promise<string> {
  const { compile } = await import('svelte/compiler')
  return compile(code, { filename, css: 'injected' }).js.code
}

async function fromVue(code: string, filename: string): Promise<string> {
  const { compileScript, parse } = await import('vue/compiler-sfc')
  const { descriptor } = parse(code, { filename })
  return compileScript(descriptor, { id: 'notes', inlineTemplate: true }).content
}

async function fromSolid(code: string, filename: string): Promise<string> {
  const [{ transformAsync }, { default: solid }] = await Promise.all([
    import('@babel/core'),
    import('babel-preset-solid'),
  ])
  const { code: withoutTypes } = await transformWithOxc(code, filename, { jsx: 'preserve' })
  const compiled = await transformAsync(withoutTypes, { presets: [solid], configFile: false })
  if (compiled?.code == null) throw new Error('Babel gave no code')
  return compiled.code
}

/** Its compiler reads files, and checks the types of a component and of its template. */
async function fromAngular(code: string): Promise<string> {
  await installPackages(ANGULAR, 'Angular')
  const directory = await mkdtemp(join(ANGULAR, 'component-'))
  try {
    const compilerOptions = {
      ...{ target: 'es2022', lib: ['es2022', 'dom', 'dom.iterable'], module: 'es2022', moduleResolution: 'bundler' },
      ...{ strict: true, exactOptionalPropertyTypes: true, skipLibCheck: true, types: [], outDir: 'out' },
    }
    const settings = { compilerOptions, angularCompilerOptions: { strictTemplates: true }, files: ['component.ts'] }
    await writeFile(join(directory, 'component.ts'), code)
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(settings))
    await promisify(execFile)(process.execPath, [join(ANGULAR, 'node_modules/.bin/ngc'), '-p', directory])
    return await readFile(join(directory, 'out/component.js'), 'utf8')
  } finally {
    await rm(directory, { recursive: true })
  }
}
