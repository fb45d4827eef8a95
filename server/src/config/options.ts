import { parseArgs } from 'node:util'
import { z } from 'zod'
import { CoeditError } from '../common/errors.ts'

/** One option as users see it. */
export interface OptionFacts {
  readonly name: string
  /** Such as `--max-message-bytes`. */
  readonly flag: string
  /** Such as `COEDIT_MAX_MESSAGE_BYTES`. */
  readonly variable: string
  readonly type: 'integer' | 'number' | 'boolean' | 'string'
  readonly default: string | number | boolean
  /** What a value may be, for people: `an integer from 0 to 65535`. */
  readonly expected: string
  readonly description: string
  /** Whether its value must not be shown. */
  readonly isSecret: boolean
  /** Counts where the option is not given. */
  readonly fallback: Fallback | undefined
}

/** A variable that others set, such as `PORT` by hosting platforms. */
interface Fallback {
  readonly variable: string
  /** It does not count where the option of this name is given, or where its value is none for ours: it may be meant for others. */
  readonly unless?: string | undefined
}

/** What a command line says. */
export interface CommandLine<Options> {
  readonly options: Options
  /** As many as were asked for. */
  readonly operands: readonly string[]
}

/** A value as it was given. */
interface Given {
  readonly value: unknown
  /** The flag or variable, for errors. */
  readonly source: string
}

const property = z.object({
  type: z.enum(['integer', 'number', 'boolean', 'string']),
  default: z.union([z.string(), z.number(), z.boolean()]),
  description: z.string(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  enum: z.array(z.string()).optional(),
  expected: z.string().optional(),
  secret: z.boolean().default(false),
  fallback: z.object({ variable: z.string(), unless: z.string().optional() }).optional(),
})

/** Options as a schema declares them, read from an object or from a command line and its environment. */
export class OptionSet<Schema extends z.ZodObject> {
  /** In the order of declaration. */
  readonly facts: readonly OptionFacts[]
  readonly #schema: Schema

  /** @param schema with a default, a description and, for text, a completion of "expected …" for each option */
  constructor(schema: Schema) {
    this.#schema = schema
    this.facts = Object.entries(z.toJSONSchema(schema, { io: 'input' }).properties ?? {}).map(toFacts)
  }

  /**
   * Validates options and fills in the defaults.
   * @throws CoeditError OPTION_INVALID
   */
  parse(options: Readonly<Record<string, unknown>>): z.output<Schema> {
    return this.#validate(options, (name) => `option ${name}`)
  }

  /**
   * Reads a command line and the environment; a flag wins over a variable, a variable over the default. An empty
   * variable counts as unset.
   *
   * @param argv arguments without node, script and command
   * @param operands names of the arguments that are no options; all of them are required
   * @throws CoeditError OPTION_INVALID; messages name the flag or variable as it was given
   */
  fromProcess(
    argv: readonly string[],
    env: Readonly<NodeJS.ProcessEnv>,
    operands: readonly string[] = [],
  ): CommandLine<z.output<Schema>> {
    const flags = readFlags(this.facts, argv, operands)
    const given = new Map([...readEnvironment(this.facts, env), ...flags.given])
    for (const [name, value] of this.#fallbacks(given, env)) given.set(name, value)
    const options = Object.fromEntries([...given].map(([name, { value }]) => [name, value]))
    return {
      options: this.#validate(options, (name) => given.get(name)?.source ?? name),
      operands: flags.operands,
    }
  }

  /** What the variables of others say. */
  #fallbacks(given: ReadonlyMap<string, Given>, env: Readonly<NodeJS.ProcessEnv>): [string, Given][] {
    return this.facts.flatMap((facts): [string, Given][] => {
      const { name, fallback } = facts
      const text = fallback && env[fallback.variable]
      if (!text || given.has(name)) return []
      const { variable: source, unless } = fallback
      const value = parseText(facts, text)
      if (unless !== undefined) {
        const isOurs = this.#schema.partial().safeParse({ [name]: value }).success
        if (given.has(unless) || !isOurs) return []
      }
      return [[name, { value, source }]]
    })
  }

  #validate(options: Readonly<Record<string, unknown>>, label: (name: string) => string): z.output<Schema> {
    const result = this.#schema.safeParse(options)
    if (result.success) return result.data
    const [issue] = result.error.issues
    if (issue?.code === 'unrecognized_keys') throw invalid(`unknown option ${issue.keys.join(', ')}`)
    const name = String(issue?.path[0])
    const facts = this.facts.find((facts) => facts.name === name)
    const value = facts?.isSecret ? 'invalid' : shown(options[name])
    throw invalid(`${label(name)} is ${value}: expected ${facts?.expected}`)
  }
}

function toFacts([name, raw]: [string, unknown]): OptionFacts {
  const facts = property.parse(raw)
  return {
    name,
    flag: `--${separate(name, '-')}`,
    variable: `COEDIT_${separate(name, '_').toUpperCase()}`,
    type: facts.type,
    default: facts.default,
    expected: expectation(facts),
    description: facts.description,
    isSecret: facts.secret,
    fallback: facts.fallback,
  }
}

function separate(camelCase: string, separator: string): string {
  return camelCase.replace(/[A-Z]/g, (capital) => separator + capital.toLowerCase())
}

function expectation(facts: z.output<typeof property>): string {
  if (facts.expected !== undefined) return facts.expected
  if (facts.enum !== undefined) return `one of ${facts.enum.join(', ')}`
  if (facts.type === 'boolean') return 'true or false'
  return `${facts.type === 'integer' ? 'an integer' : 'a number'} from ${facts.minimum} to ${facts.maximum}`
}

function readEnvironment(all: readonly OptionFacts[], env: Readonly<NodeJS.ProcessEnv>): [string, Given][] {
  return all.flatMap((facts): [string, Given][] => {
    const source = facts.variable
    const text = env[source]
    return text ? [[facts.name, { value: parseText(facts, text), source }]] : []
  })
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number]

function readFlags(all: readonly OptionFacts[], argv: readonly string[], expected: readonly string[]) {
  const given: [string, Given][] = []
  const operands: string[] = []
  for (const token of tokensOf(all, argv)) {
    if (token.kind === 'option') given.push(readFlag(all, token))
    else if (expected.length === 0 && token.kind === 'option-terminator') throw invalid("unexpected argument '--'")
    else if (token.kind === 'positional') operands.push(token.value)
  }
  if (operands.length > expected.length) throw invalid(`unexpected argument '${operands[expected.length]}'`)
  if (operands.length < expected.length) throw invalid(`${expected[operands.length]} is missing`)
  return { given, operands }
}

function tokensOf(all: readonly OptionFacts[], argv: readonly string[]): readonly Token[] {
  const options = Object.fromEntries(
    all.map(({ flag, type }) => [
      flag.slice('--'.length),
      { type: type === 'boolean' ? ('boolean' as const) : ('string' as const) },
    ]),
  )
  // Not strict: the messages of strict mode name neither the value nor what was expected.
  return parseArgs({ args: [...argv], options, strict: false, tokens: true }).tokens
}

function readFlag(all: readonly OptionFacts[], token: Extract<Token, { kind: 'option' }>): [string, Given] {
  const facts = all.find(({ flag }) => flag === token.rawName)
  if (facts === undefined) throw invalid(`unknown option ${token.rawName}`)
  const source = facts.flag
  if (facts.type === 'boolean') return [facts.name, { value: parseText(facts, token.value ?? 'true'), source }]
  if (token.value === undefined || (!token.inlineValue && token.value.startsWith('--'))) {
    throw invalid(`${facts.flag} has no value: expected ${facts.expected}`)
  }
  return [facts.name, { value: parseText(facts, token.value), source }]
}

/** Text that does not fit the type is passed on as it is: the schema refuses it, and the error shows it. */
function parseText({ type }: OptionFacts, text: string): unknown {
  if (type === 'string') return text
  if (type === 'boolean') return { true: true, 1: true, false: false, 0: false }[text] ?? text
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value)
}

function invalid(message: string): CoeditError {
  return new CoeditError('OPTION_INVALID', message)
}
