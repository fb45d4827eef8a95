import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defaultText, usage } from '../../server/src/commands/help.ts'
import { commands } from '../../server/src/commands/index.ts'
import { errorCodes } from '../../server/src/common/errors.ts'
import { optionFacts } from '../../server/src/config/config.ts'

const README = fileURLToPath(new URL('../../server/README.md', import.meta.url))
const PROTOCOL = fileURLToPath(new URL('../../server/PROTOCOL.md', import.meta.url))

export function readReadme(): string {
  return readFileSync(README, 'utf8')
}

/** The text with its tables made anew, each between `<!-- NAME -->` and `<!-- /NAME -->`. */
export function withTables(markdown: string): string {
  const tables = {
    commands: commandsTable(),
    options: optionsTable(),
    errors: errorsTable(),
    closes: closesTable(),
    statuses: statusesTable(),
  }
  return Object.entries(tables).reduce((text, [name, content]) => replaceBlock(text, name, content), markdown)
}

function replaceBlock(markdown: string, name: string, content: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const start = markdown.indexOf(open)
  const end = markdown.indexOf(close)
  if (start < 0 || end < start) throw new Error(`server/README.md has no block ${open} … ${close}`)
  return `${markdown.slice(0, start + open.length)}\n\n${content}\n\n${markdown.slice(end)}`
}

function commandsTable(): string {
  return table(
    ['command', 'what it does'],
    commands.map((command) => [`\`coedit ${usage(command)}\``, command.description]),
  )
}

function optionsTable(): string {
  return table(
    ['option', 'flag, variable', 'default', 'meaning'],
    optionFacts.map((facts) => [
      `\`${facts.name}\``,
      `\`${facts.flag}\` \`${facts.variable}\``,
      defaultText(facts),
      `${facts.description} Takes ${facts.expected}.`,
    ]),
  )
}

function errorsTable(): string {
  return table(
    ['code', 'meaning'],
    Object.entries(errorCodes).map(([code, meaning]) => [`\`${code}\``, meaning]),
  )
}

/** As PROTOCOL.md has it. */
export function closesTable(): string {
  const [found] = /^\| close code \|.*(\n\|.*)*/m.exec(readFileSync(PROTOCOL, 'utf8')) ?? []
  if (found === undefined) throw new Error('server/PROTOCOL.md has no table of close codes')
  return found
}

/** Of the errors whose meaning names an HTTP status. */
function statusesTable(): string {
  const rows = Object.entries(errorCodes).flatMap(([code, meaning]) => {
    const [mention, status] = / \((?:\d{4}, )?HTTP (\d{3})\)/.exec(meaning) ?? []
    return mention === undefined ? [] : [[status, `\`${code}\``, meaning.replace(mention, '')]]
  })
  return table(['status', 'code', 'meaning'], rows.toSorted())
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

// `npm run docs`
if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(README, withTables(readReadme()))
