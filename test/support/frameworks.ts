import { type Plugin, transformWithOxc } from 'vite'

/**
 * Compiles components as the plug-ins of their frameworks do: `.vue`, `.svelte`, and Solid's as `Solid.tsx`. Each
 * compiler is loaded where it is used: together they take most of a second, in every file with a page.
 */
export const frameworks: Plugin = {
  name: 'frameworks',
  enforce: 'pre',
  async transform(code, id) {
    if (id.endsWith('.vue')) return script(await fromVue(code, id))
    if (id.endsWith('.svelte')) return script(await fromSvelte(code, id))
    if (id.endsWith('Solid.tsx')) return script(await fromSolid(code, id))
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
