import { CoeditError } from '../common/errors.ts'
import { counted, type Print } from './command.ts'

/** Says what became of each document, and the sums. */
export class CopyReport {
  readonly #print: Print
  readonly #outcomes = new Map<string, number>()
  readonly #bad = new Set<string>()
  #same = 0
  #lackingRevocations = 0

  constructor(print: Print) {
    this.#print = print
  }

  /** Does something with a document. A document that cannot be read or written holds up no other. */
  async attempt(name: string, work: () => Promise<string>): Promise<void> {
    try {
      const outcome = await work()
      this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1)
      this.#print(`'${name}': ${outcome}\n`)
    } catch (error) {
      this.failed(name, reasonOf(error))
    }
  }

  async compare(name: string, work: () => Promise<string | undefined>): Promise<void> {
    if (this.#bad.has(name)) return
    try {
      const problem = await work()
      if (problem === undefined) this.#same++
      else this.failed(name, problem)
    } catch (error) {
      this.failed(name, reasonOf(error))
    }
  }

  failed(name: string, problem: string): void {
    this.#bad.add(name)
    this.#print(`'${name}': ${problem}\n`)
  }

  lacksRevocations(count: number): void {
    this.#lackingRevocations = count
    this.#print(`${counted(count, 'revocation')} not at the destination\n`)
  }

  /** @throws CoeditError COPY_INCOMPLETE */
  finish(): void {
    const outcomes = [...this.#outcomes].map(([outcome, count]) => `${count} ${outcome}`)
    const sums = [counted(this.#same + this.#bad.size, 'document'), ...outcomes, `${this.#same} read back the same`]
    this.#print(`${sums.join(', ')}\n`)
    if (this.#bad.size + this.#lackingRevocations === 0) return
    const message = `${counted(this.#bad.size, 'document')} and ${counted(this.#lackingRevocations, 'revocation')} are not at the destination as they are at the source.`
    throw new CoeditError('COPY_INCOMPLETE', message)
  }
}

/** Why a document could not be read or written. What is no affair of that document alone is thrown again. */
function reasonOf(error: unknown): string {
  if (error instanceof CoeditError && ['STORAGE_DAMAGED', 'STORAGE_CONFLICT', 'GONE'].includes(error.code))
    return error.message
  throw error
}
