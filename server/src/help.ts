import { optionFacts } from './config.ts'
import type { OptionFacts } from './options.ts'

const WIDTH = 100
const INDENT = '      '

/** What `coedit --help` prints. */
export function helpText(): string {
  return [
    'Usage: coedit [options]',
    '',
    'Serves collaborative documents to y-websocket clients. Each flag has an environment variable;',
    'the flag wins.',
    '',
    ...optionFacts.flatMap(optionLines),
    '  --help',
    '  --version',
    '',
  ].join('\n')
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

function wrap(text: string): string[] {
  const lines: string[] = []
  let line = INDENT
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = INDENT
    }
    line += line === INDENT ? word : ` ${word}`
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
