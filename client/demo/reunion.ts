import type { Connection, ConnectionState } from '@coedit/client'
import * as Y from 'yjs'

/** How long a reunion is told, in milliseconds. */
const TOLD_MS = 8_000

/** Tells in a pane, each time when it is together with the others again, what was merged. */
export function tellReunions(place: HTMLElement, connection: Connection): void {
  const absence = new Absence(connection.doc)
  let over: ReturnType<typeof setTimeout> | undefined
  connection.subscribe((state) => {
    const merged = absence.follow(state)
    if (merged === null) return
    place.textContent = merged
    clearTimeout(over)
    over = setTimeout(() => {
      place.textContent = ''
    }, TOLD_MS)
  })
}

/** Counts what is done to a document while it is away from the server, here and elsewhere. */
class Absence {
  readonly #doc: Y.Doc
  #wasTogether = false
  /** What was here of each client when the absence began; undefined while there is none. */
  #before: ReadonlyMap<number, number> | undefined
  #mine = 0
  #deleted = 0

  constructor(doc: Y.Doc) {
    this.#doc = doc
    doc.on('afterTransaction', ({ local, deleteSet }: Y.Transaction) => {
      if (local || this.#before === undefined) return
      for (const ranges of deleteSet.clients.values()) for (const { len } of ranges) this.#deleted += len
    })
  }

  /** Words for what an absence brought, when it ends; otherwise null. */
  follow({ connection, synced, unsaved }: ConnectionState): string | null {
    if (this.#before === undefined) {
      this.#wasTogether ||= synced
      if (!this.#wasTogether || connection !== 'offline') return null
      this.#before = clocks(this.#doc)
      this.#mine = unsaved
      this.#deleted = 0
      return null
    }
    if (connection === 'offline') this.#mine = unsaved
    if (!synced) return null
    const words = this.#describe(this.#before)
    this.#before = undefined
    return words
  }

  /** An edit of others is a character, written or deleted: their keys are not known here. */
  #describe(before: ReadonlyMap<number, number>): string | null {
    const others = [...clocks(this.#doc)]
      .map(([client, clock]) => ({ client, written: clock - (before.get(client) ?? 0) }))
      .filter(({ client, written }) => client !== this.#doc.clientID && written > 0)
    const theirs = others.reduce((sum, { written }) => sum + written, this.#deleted)
    // Who deletes leaves no name.
    const people = Math.max(others.length, theirs > 0 ? 1 : 0) + (this.#mine > 0 ? 1 : 0)
    if (people === 0) return null
    return `Merged ${count(this.#mine + theirs, 'edit', 'edits')} of ${count(people, 'person', 'people')}`
  }
}

function clocks(doc: Y.Doc): Map<number, number> {
  return Y.decodeStateVector(Y.encodeStateVector(doc))
}

function count(amount: number, one: string, many: string): string {
  return `${amount.toLocaleString('en')} ${amount === 1 ? one : many}`
}
