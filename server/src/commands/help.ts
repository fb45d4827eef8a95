import { optionFacts } from '../config/config.ts'
import type { OptionFacts } from '../config/options.ts'
import { type Command, commands } from './index.ts'

const WIDTH = 100
const INDENT = '      '

/** What `coedit --help` prints. */
export function helpText(): string {
  return [
    'Usage: coedit [options]',
    '       coedit COMMAND --help',
    '',
    'Serves collaborative documents to y-websocket clients. Each flag has an environment variable;',
    'the flag wins.',
    '',
    'Commands:',
    '',
    ...commands.flatMap((command) => [`  ${usage(command)}`, ...wrap(command.summary), '']),
    'Options of the server:',
    '',
    ...optionFacts.flatMap(optionLines),
    '  --help',
    '  --version',
    '',
  ].join('\n')
}

/** What `coedit COMMAND --help` prints. */
export function commandHelp(command: Command): string {
  return [
    `Usage: coedit ${usage(command)} [options]`,
    '',
    ...wrap(command.description, ''),
    '',
    ...command.options.flatMap(optionLines),
    '  --help',
    '',
  ].join('\n')
}

/** Such as `export NAME`. */
export function usage({ name, operands }: Command): string {
  return [name, ...operands].join(' ')
}

/** A default as people read it: a number of bytes with its unit. */
export function defaultText({ name, default: value }: OptionFacts): string {
  if (typeof value === 'number' && name.endsWith('Bytes')) return byteText(value)
  return value === '' ? 'empty' : String(value)
}

function optionLines(facts: OptionFacts): string[] {
  const value = facts.type === 'boolean' ? '' : ` <${facts.type}>`
  const description = facts.description.replace(/`(\w+)`/g, (_, name: string) => flagOf(name))
  return [
    `  ${facts.flag}${value}`,
    ...wrap(description),
    ...wrap(`${facts.variable}: ${facts.expected}; default ${defaultText(facts)}`),
    '',
  ]
}

function flagOf(name: string): string {
  return optionFacts.find((facts) => facts.name === name)?.flag ?? name
}

function wrap(text: string, indent = INDENT): string[] {
  const lines: string[] = []
  let line = indent
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = indent
    }
    line += line === indent ? word : ` ${word}`
  }
  return [...lines, line]
}

/** With the largest unit that divides it: 67108864 is `67108864 (64 MiB)`. */
function byteText(bytes: number): string {
  let count = bytes
  let unit = ''
  for (const next of ['KiB', 'MiB', 'GiB']) {
    if (count % 1024 !== 0) break
    count /= 1024
    unit = next
  }
  return unit === '' ? String(bytes) : `${bytes} (${count} ${unit})`
}
