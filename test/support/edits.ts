import * as Y from 'yjs'

/** One change to a document, as it travels. */
export interface Edit {
  readonly update: Uint8Array
  /** Of the document after it. */
  readonly stateVector: Uint8Array
  readonly clientId: number
}

/** What somebody sends who has written this as the first of all. */
export function edit(text: string, clientId?: number): Edit {
  const writer = new Writer(clientId)
  return writer.insert(text)
}

/** Somebody who writes a text, edit by edit, and knows what each one looks like on its way. */
export class Writer {
  readonly doc = new Y.Doc()
  readonly #updates: Uint8Array[] = []

  constructor(clientId?: number) {
    if (clientId !== undefined) this.doc.clientID = clientId
    this.doc.on('update', (update: Uint8Array) => this.#updates.push(update))
  }

  get text(): Y.Text {
    return this.doc.getText('text')
  }

  /** Writes at the end. */
  insert(text: string): Edit {
    return this.#made(() => this.text.insert(this.text.length, text))
  }

  delete(index: number, length: number): Edit {
    return this.#made(() => this.text.delete(index, length))
  }

  /** Gets to know what others wrote. */
  learn({ update }: Pick<Edit, 'update'>): this {
    Y.applyUpdate(this.doc, update)
    return this
  }

  /** Everything known, as a Step2 holds it. */
  get everything(): Uint8Array {
    return Y.encodeStateAsUpdate(this.doc)
  }

  get stateVector(): Uint8Array {
    return Y.encodeStateVector(this.doc)
  }

  #made(change: () => void): Edit {
    const before = this.#updates.length
    this.doc.transact(change)
    return {
      update: Y.mergeUpdates(this.#updates.slice(before)),
      stateVector: this.stateVector,
      clientId: this.doc.clientID,
    }
  }
}
