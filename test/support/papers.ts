import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Where a file of the repository lies, by its path in it. */
export function pathOf(path: string): string {
  return `${ROOT}/${path}`
}

/** The text of a file of the repository, by its path in it. */
export function paper(path: string): Promise<string> {
  return readFile(pathOf(path), 'utf8')
}

export interface Block {
  /** Empty where the README gives none. */
  readonly language: string
  readonly code: string
  /** The line of the README that it begins with. */
  readonly line: number
}

/** All blocks that a README shows. */
export async function blocksIn(readme: string): Promise<readonly Block[]> {
  const text = await paper(readme)
  return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(({ 1: language = '', 2: code = '', index }) => {
    return { language, code, line: text.slice(0, index).split('\n').length + 1 }
  })
}

/** The first block of this language that a README shows under a heading. */
export async function blockIn(readme: string, heading: string, language: string): Promise<string> {
  const text = await paper(readme)
  const section = text.slice(text.indexOf(`${heading}\n`))
  const [, block] = new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(section) ?? []
  if (block === undefined) throw new Error(`${readme} shows no ${language} under "${heading}"`)
  return block
}

/**
 * A text with each of the placeholders replaced wherever it stands.
 *
 * @throws Error where one does not occur: what is shown to people would then not be what is run
 */
export function filledIn(text: string, replacements: Readonly<Record<string, string>>): string {
  let filled = text
  for (const [placeholder, value] of Object.entries(replacements)) {
    if (!filled.includes(placeholder)) throw new Error(`'${placeholder}' does not occur in:\n${text}`)
    filled = filled.replaceAll(placeholder, value)
  }
  return filled
}
