import { bytesOf, type Database, type Operation } from '../storage/level/database.ts'

const BATCH_BYTES = 1024 * 1024

/** Writes many operations in batches of about a mebibyte. */
export class BatchWriter {
  readonly #database: Database
  #operations: Operation[] = []
  #bytes = 0

  constructor(database: Database) {
    this.#database = database
  }

  async add(operation: Operation): Promise<void> {
    this.#operations.push(operation)
    this.#bytes += bytesOf(operation)
    if (this.#bytes >= BATCH_BYTES) await this.finish()
  }

  /** Writes what is left. */
  async finish(): Promise<void> {
    if (this.#operations.length > 0) await this.#database.write(this.#operations)
    this.#operations = []
    this.#bytes = 0
  }
}
