import type { z } from 'zod'
import { CoeditError } from '../common/errors.ts'
import { serverSchema } from '../config/config.ts'
import { type OptionFacts, OptionSet } from '../config/options.ts'

/** Something that `coedit` does beside serving: `coedit NAME OPERANDS --options`. */
export interface Command {
  readonly name: string
  /** One line for `coedit --help`. */
  readonly summary: string
  /** What `coedit NAME --help` says. */
  readonly description: string
  /** Names of the arguments that are no options, all of them required. */
  readonly operands: readonly string[]
  readonly options: readonly OptionFacts[]
  /**
   * @param argv what follows the name of the command
   * Rejects with OPTION_INVALID, FILE_FAILED, and with what the storage rejects with.
   */
  run(argv: readonly string[], env: Readonly<NodeJS.ProcessEnv>, print: Print): Promise<void>
}

/** Writes to stdout. */
export type Print = (output: string | Uint8Array) => void

/** A command as its file declares it. */
export interface CommandDeclaration<Schema extends z.ZodObject>
  extends Pick<Command, 'name' | 'summary' | 'description' | 'operands'> {
  readonly schema: Schema
  readonly execute: (call: CommandCall<z.output<Schema>>) => Promise<void>
}

export interface CommandCall<Options> {
  readonly options: Options
  readonly operands: readonly string[]
  readonly print: Print
}

/** The options of most commands: which directory or database, and what is logged to stderr. */
export const dataSchema = serverSchema.pick({ data: true, database: true, logLevel: true })

export function declareCommand<Schema extends z.ZodObject>(declaration: CommandDeclaration<Schema>): Command {
  const { schema, execute, ...described } = declaration
  const options = new OptionSet(schema)
  return {
    ...described,
    options: options.facts,
    async run(argv, env, print) {
      const commandLine = options.fromProcess(argv, env, described.operands)
      try {
        await execute({ ...commandLine, print })
      } catch (error) {
        throw isOfTheSystem(error) ? new CoeditError('FILE_FAILED', error.message, { cause: error }) : error
      }
    },
  }
}

/** Whether it is the answer to a system call, such as ENOSPC. */
function isOfTheSystem(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error
}

/** `1 document`, `2 documents`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
