import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { defaultText, usage } from '../../server/src/commands/help.ts'
import { commands } from '../../server/src/commands/index.ts'
import { ERRORS } from '../../server/src/common/errors.ts'
import { optionFacts } from '../../server/src/config/config.ts'
import { CLOSE } from '../../server/src/peers/close-codes.ts'
import { apiReference } from './api-reference.ts'
import { paper, pathOf } from './papers.ts'

/** The papers with generated tables, by path in the repository, and which these are. */
const TABLES = {
  'server/README.md': {
    commands: commandsTable,
    options: optionsTable,
    errors: errorsTable,
    closes: closesTable,
    statuses: statusesTable,
  },
  'server/PROTOCOL.md': { closes: closesTable },
  'server/API.md': { api: apiReference },
}

/** The text of a paper, and what it is with its tables made anew, each between `<!-- NAME -->` and `<!-- /NAME -->`. */
export async function withTables(name: keyof typeof TABLES): Promise<{ text: string; expected: string }> {
  const text = await paper(name)
  let expected = text
  for (const [block, content] of Object.entries(TABLES[name])) expected = replaceBlock(expected, block, await content())
  return { text, expected }
}

function replaceBlock(markdown: string, name: string, content: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const start = markdown.indexOf(open)
  const end = markdown.indexOf(close)
  if (start < 0 || end < start) throw new Error(`there is no block ${open} … ${close}`)
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
    ['code', 'meaning', 'leads to'],
    Object.entries(ERRORS).map(([code, { meaning, close, status, exit }]) => [
      `\`${code}\``,
      meaning,
      [close, status && `HTTP ${status}`, exit && `exit code ${exit}`].filter(Boolean).join(', '),
    ]),
  )
}

function closesTable(): string {
  const ofErrors = Object.entries(ERRORS).flatMap(([code, { meaning, close }]) =>
    close === undefined ? [] : [{ code: close, why: `\`${code}\`: ${meaning}` }],
  )
  const ofTheServer = Object.values(CLOSE).map(({ code, reason }) => ({ code, why: reason }))
  return table(
    ['close code', 'why', 'does y-websocket 3.1 come back'],
    [...ofTheServer, ...ofErrors]
      .toSorted((a, b) => a.code - b.code)
      .map(({ code, why }) => [String(code), why, code >= 4400 && code < 4500 ? 'no' : 'yes']),
  )
}

function statusesTable(): string {
  const rows = Object.entries(ERRORS).flatMap(([code, { meaning, status }]) =>
    status === undefined ? [] : [[String(status), `\`${code}\``, meaning]],
  )
  return table(['status', 'code', 'meaning'], rows.toSorted())
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

// `npm run docs`
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of ['server/README.md', 'server/PROTOCOL.md', 'server/API.md'] as const) {
    await writeFile(pathOf(name), (await withTables(name)).expected)
  }
}
