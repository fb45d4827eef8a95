import * as Y from 'yjs'
import type { KeptSelection } from './selection.ts'

export type HistoryCommand = 'undo' | 'redo'

/** What one edit is: `drag` and `drop` are the two halves of a move, `single` is a paste, say. */
export type EditKind = 'typing' | 'composition' | 'drag' | 'drop' | 'single'

/** The kind of edit whose step an edit of this kind goes on with; typing only while it goes on without a break. */
const CONTINUED: Readonly<Record<EditKind, EditKind | null>> = {
  typing: 'typing',
  composition: 'composition',
  drag: null,
  drop: 'drag',
  single: null,
}

/** What a key press asks for, by the shortcuts of Windows, Linux and macOS. */
export function historyKey(event: Partial<KeyboardEvent>): HistoryCommand | null {
  const { altKey, ctrlKey, metaKey, shiftKey } = event
  if (altKey || ctrlKey === metaKey) return null
  const letter = latinLetter(event)
  if (letter === 'z') return shiftKey ? 'redo' : 'undo'
  return letter === 'y' && ctrlKey ? 'redo' : null
}

/**
 * The letter of a key or, on a layout of another script, the one that is at its place on a Latin layout: systems take
 * shortcuts in the same way. A sign of ASCII may belong to either (Thai has `(` above Z, Dvorak `;`), which only the
 * key code tells, by the letter that the system takes it for.
 */
function latinLetter({ key = '', code = '', keyCode = 0 }: Partial<KeyboardEvent>): string {
  const place = /^Key[A-Z]$/.test(code) ? code.slice(-1) : ''
  const isOther = !/^[a-z]$/i.test(key) && (key > '~' || keyCode === place.charCodeAt(0))
  return (isOther ? place : key).toLowerCase()
}

/** What an input event asks for, as the context menu and the menu bar raise it. */
export function historyInput({ inputType }: Partial<InputEvent>): HistoryCommand | null {
  if (inputType === 'historyUndo') return 'undo'
  return inputType === 'historyRedo' ? 'redo' : null
}

/** Tells the kind by the input types of the standard "Input Events Level 2". */
export function editKind(inputType: string): EditKind {
  if (inputType === 'deleteByDrag') return 'drag'
  if (inputType === 'insertFromDrop') return 'drop'
  return /From|By|Replacement|Transpose/.test(inputType) ? 'single' : 'typing'
}

/** The selections around one step. */
interface Kept {
  readonly before: KeptSelection | null
  readonly after: KeptSelection | null
}

/** The editor whose edits are taken back; the origin of its transactions. */
export interface Author {
  keepSelection(): KeptSelection | null
  /** Called when one of its own steps was taken back or brought back, with the selection that belongs to that. */
  onHistory(selection: KeptSelection | null): void
}

/** One editor's part of an undo manager, which several may share: makes steps of its edits and remembers selections. */
export interface History {
  readonly manager: Y.UndoManager
  /** Runs an edit of the author. `before` is the selection that undo brings back. */
  record(kind: EditKind, before: KeptSelection | null, edit: () => void): void
  /** The next edit begins a step of its own. */
  seal(): void
  run(command: HistoryCommand): void
  destroy(): void
}

export function openHistory(text: Y.Text, author: Author, shared: Y.UndoManager | undefined): History {
  const manager = shared ?? new Y.UndoManager(text, { trackedOrigins: new Set() })
  /** The kind of the step that the next edit may still become part of. */
  let open: EditKind | null = null
  const seal = () => {
    open = null
  }
  const onPopped = ({ stackItem, type }: Popped) => {
    const kept: Kept | undefined = stackItem.meta.get(author)
    if (kept === undefined) return
    const isUndo = type === 'undo'
    // What takes the step back, or brings it back, is a new item that knows nothing yet.
    const opposite = isUndo ? manager.redoStack : manager.undoStack
    opposite.at(-1)?.meta.set(author, kept)
    author.onHistory(isUndo ? kept.before : kept.after)
  }
  manager.addTrackedOrigin(author)
  manager.on('stack-item-popped', onPopped)

  return {
    manager,
    record(kind, before, edit) {
      const isContinued = open !== null && CONTINUED[kind] === open
      if (!isContinued) manager.stopCapturing()
      // Only typing ends by itself when there was a break; the others go on however long ago they were begun.
      else if (kind !== 'typing') manager.lastChange = Number.POSITIVE_INFINITY
      open = kind
      edit()
      const { meta } = manager.undoStack.at(-1) ?? {}
      const kept: Kept = { before, ...meta?.get(author), after: author.keepSelection() }
      meta?.set(author, kept)
    },
    seal,
    run(command) {
      seal()
      manager[command]()
    },
    destroy() {
      manager.off('stack-item-popped', onPopped)
      manager.removeTrackedOrigin(author)
      if (!shared) manager.destroy()
    },
  }
}

interface Popped {
  readonly stackItem: Y.UndoManager['undoStack'][number]
  readonly type: HistoryCommand
}
