import { goneError } from '../common/errors.ts'
import { decodeClients } from '../protocol/update/update.ts'

/** The clients that wrote a document before it was deleted, and made anew: what they wrote is not to come back. */
export class FormerClients {
  readonly #name: string
  readonly #ids: ReadonlySet<number>

  /** @param encoded as the storage has them; absent where the document was never deleted */
  constructor(name: string, encoded: Uint8Array | undefined) {
    this.#name = name
    this.#ids = decodeClients(encoded)
  }

  /** Whether there are none. */
  get isEmpty(): boolean {
    return this.#ids.size === 0
  }

  has(client: number): boolean {
    return this.#ids.has(client)
  }

  /**
   * Expects that none of these is one of them.
   * @throws CoeditError GONE
   */
  expectNone(clients: Iterable<number>): void {
    for (const client of clients) if (this.has(client)) throw goneError(this.#name)
  }
}
