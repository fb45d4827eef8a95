import type { ClientGroup } from './client-group.ts'

const CONTENT_LIMIT_MS = 120_000

/** Somebody who opened a document and has all of it. */
export interface Joined {
  /** From the start of the connection to the arrival of the last of the content. */
  readonly ms: number
  readonly updates: readonly Uint8Array[]
}

/** Several who open the same document. */
export class Joiners {
  readonly #group: ClientGroup
  readonly #document: string
  readonly #leastBytes: number
  /** What somebody got as the first, the second, … message. */
  readonly #known: Uint8Array[] = []

  /**
   * A document is complete with the Step2, unless that came before the content, as y-websocket has it after a restart:
   * hence the least number of bytes. Whether it is complete indeed is for `verifyJoined` to say.
   */
  constructor(group: ClientGroup, document: string, leastBytes: number) {
    this.#group = group
    this.#document = document
    this.#leastBytes = leastBytes
  }

  async join(): Promise<Joined> {
    const start = performance.now()
    const updates: Uint8Array[] = []
    let bytes = 0
    let synced = false
    let finish: (at: number) => void = () => undefined
    const complete = new Promise<number>((resolve) => {
      finish = resolve
    })
    const look = (at: number): void => {
      if (synced && bytes >= this.#leastBytes) finish(at)
    }
    await this.#group.connect(this.#document, {
      content: (update, at) => {
        updates.push(this.#shared(updates.length, update))
        bytes += update.length
        look(at)
      },
      synced: (at) => {
        synced = true
        look(at)
      },
    })
    const at = await this.#group.wait(CONTENT_LIMIT_MS, `the content of "${this.#document}"`, complete)
    return { ms: at - start, updates }
  }

  /**
   * The copy that somebody else got at the same place, if it is equal. Keeping a large document a hundred times over
   * takes the client longer than the server takes to send it.
   */
  #shared(index: number, update: Uint8Array): Uint8Array {
    const known = this.#known[index]
    if (known === undefined) {
      this.#known[index] = update
      return update
    }
    return Buffer.compare(known, update) === 0 ? known : update
  }
}
