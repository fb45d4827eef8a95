import * as Y from 'yjs'
import { keepFormatting } from '../document/keep-formatting.ts'
import { type IdRanges, type Ids, unionOf } from '../protocol/update/update.ts'
import type { RevertRequest } from './requests.ts'

/** Whose transaction it is that the undo manager is to take back. */
const SINCE = Symbol('since')

/**
 * An update that takes back what was written since; null where nothing is left to be taken back. What was inserted is
 * deleted, and what was deleted is inserted anew where it was: that is how editors undo, so that it says nothing about
 * what others write at the same time.
 *
 * The document is built without collecting garbage, from what it was: so what was deleted since is still there.
 */
export function revert({ before, since, undone }: RevertRequest): Uint8Array | null {
  // The client id is a new one: what is written under that of this thread may not have come to this document yet.
  const doc = new Y.Doc({ gc: false })
  doc.on('beforeObserverCalls', keepFormatting)
  Y.applyUpdate(doc, before)
  const manager = new Y.UndoManager(doc, { trackedOrigins: new Set([SINCE]) })
  Y.applyUpdate(doc, since, SINCE)
  if (undone) manager.undoStack = [stackItem(undone)]
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  manager.undo()
  doc.destroy()
  return updates.length > 0 ? Y.mergeUpdates(updates) : null
}

function stackItem(undone: readonly Ids[]): Y.UndoManager['undoStack'][number] {
  return {
    insertions: setOf(undone.map(({ inserted }) => inserted)),
    deletions: setOf(undone.map(({ deleted }) => deleted)),
    meta: new Map(),
  }
}

function setOf(parts: readonly IdRanges[]): ReturnType<typeof Y.createDeleteSet> {
  const set = Y.createDeleteSet()
  for (const [client, ranges] of unionOf(parts)) {
    const items = Array.from({ length: ranges.length / 2 }, (_, index) => {
      const clock = ranges[2 * index]
      return { clock, len: ranges[2 * index + 1] - clock }
    })
    set.clients.set(client, items)
  }
  return set
}
