import { transformAsync } from '@babel/core'
import solid from 'babel-preset-solid'
import { compile } from 'svelte/compiler'
import { type Plugin, transformWithOxc } from 'vite'
import { compileScript, parse } from 'vue/compiler-sfc'

/** Compiles components as the plug-ins of their frameworks do: `.vue`, `.svelte`, and Solid's as `Solid.tsx`. */
export const frameworks: Plugin = {
  name: 'frameworks',
  enforce: 'pre',
  async transform(code, id) {
    if (id.endsWith('.vue')) return script(fromVue(code, id))
    if (id.endsWith('.svelte')) return script(compile(code, { filename: id, css: 'injected' }).js.code)
    if (id.endsWith('Solid.tsx')) return script(await fromSolid(code, id))
    return null
  },
}

function script(code: string) {
  return { code, moduleType: 'js' }
}

function fromVue(code: string, filename: string): string {
  const { descriptor } = parse(code, { filename })
  return compileScript(descriptor, { id: 'notes', inlineTemplate: true }).content
}

async function fromSolid(code: string, filename: string): Promise<string> {
  const { code: withoutTypes } = await transformWithOxc(code, filename, { jsx: 'preserve' })
  const compiled = await transformAsync(withoutTypes, { presets: [solid], configFile: false })
  if (compiled?.code == null) throw new Error('Babel gave no code')
  return compiled.code
}
