import { setImmediate as nextTurn } from 'node:timers/promises'
import type * as Y from 'yjs'
import type { Change } from '../../server/src/index.ts'
import { docOf } from './editing.ts'

/** The calls of a hook so far, and waiting for further ones. */
export class Calls<T> {
  readonly events: T[] = []

  readonly note = (event: T): void => {
    this.events.push(event)
  }

  /** Resolves with the `count`th call, counted from 1. */
  async reach(count: number): Promise<T> {
    for (;;) {
      const event = this.events[count - 1]
      if (event !== undefined) return event
      await nextTurn()
    }
  }
}

/** What edits a document so. */
export function append(text: string): (doc: Y.Doc) => void {
  return (doc) => doc.getText('text').insert(doc.getText('text').length, text)
}

/** The text that is edited. */
export function textIn(doc: Y.Doc): string {
  return doc.getText('text').toString()
}

/** What a hook that heard this knows of the document. */
export function heard(changes: readonly Change[]): string {
  return textIn(docOf(...changes.flatMap(({ updates }) => updates)))
}
