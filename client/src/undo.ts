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
export function historyKey(event: KeyboardEvent): HistoryCommand | null {
  if (event.altKey || event.ctrlKey === event.metaKey) return null
  const key = event.key.toLowerCase()
  if (key === 'z') return event.shiftKey ? 'redo' : 'undo'
  if (key === 'y' && event.ctrlKey && !event.shiftKey) return 'redo'
  return null
}

/** What an input event asks for, as the context menu and the menu bar raise it. */
export function historyInput(inputType: string): HistoryCommand | null {
  if (inputType === 'historyUndo') return 'undo'
  if (inputType === 'historyRedo') return 'redo'
  return null
}

/** By the types of the standard "Input Events Level 2". */
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

/** The editor whose edits are taken back. */
export interface Author {
  keepSelection(): KeptSelection | null
  /** Called when one of its own steps was taken back or brought back. */
  onHistory(selection: KeptSelection | null): void
}

/** One editor's part of an undo manager, which several may share: makes steps of its edits and remembers selections. */
export class History {
  readonly manager: Y.UndoManager
  readonly #isOwned: boolean
  readonly #author: Author
  #before: KeptSelection | null = null
  /** The kind of the step that the next edit may still become part of. */
  #open: EditKind | null = null

  constructor(text: Y.Text, author: Author, shared: Y.UndoManager | undefined) {
    this.#author = author
    this.#isOwned = shared === undefined
    this.manager = shared ?? new Y.UndoManager(text, { trackedOrigins: new Set() })
  }

  start(): void {
    this.manager.addTrackedOrigin(this.#author)
    this.manager.on('stack-item-added', this.#onCaptured)
    this.manager.on('stack-item-updated', this.#onCaptured)
    this.manager.on('stack-item-popped', this.#onPopped)
  }

  destroy(): void {
    this.manager.off('stack-item-added', this.#onCaptured)
    this.manager.off('stack-item-updated', this.#onCaptured)
    this.manager.off('stack-item-popped', this.#onPopped)
    this.manager.removeTrackedOrigin(this.#author)
    if (this.#isOwned) this.manager.destroy()
  }

  /** Runs an edit of the author. `before` is the selection that undo brings back. */
  record(kind: EditKind, before: KeptSelection | null, edit: () => void): void {
    const { manager } = this
    const { captureTimeout } = manager
    const continues = this.#open !== null && CONTINUED[kind] === this.#open
    if (!continues) manager.stopCapturing()
    else if (kind !== 'typing') manager.captureTimeout = Number.POSITIVE_INFINITY
    this.#before = before
    this.#open = kind
    try {
      edit()
    } finally {
      manager.captureTimeout = captureTimeout
    }
  }

  /** The next edit begins a step of its own. */
  seal(): void {
    this.#open = null
  }

  run(command: HistoryCommand): void {
    this.seal()
    this.manager[command]()
  }

  readonly #onCaptured = ({ stackItem, origin }: CaptureEvent): void => {
    if (origin !== this.#author) return
    const kept: Kept | undefined = stackItem.meta.get(this)
    const next: Kept = { before: kept ? kept.before : this.#before, after: this.#author.keepSelection() }
    stackItem.meta.set(this, next)
  }

  readonly #onPopped = ({ stackItem, type }: PopEvent): void => {
    const kept: Kept | undefined = stackItem.meta.get(this)
    if (kept === undefined) return
    const isUndo = type === 'undo'
    // The opposite of the step is a new item, which knows nothing yet.
    const opposite = isUndo ? this.manager.redoStack : this.manager.undoStack
    opposite.at(-1)?.meta.set(this, kept)
    this.#author.onHistory(isUndo ? kept.before : kept.after)
  }
}

type StackItem = Y.UndoManager['undoStack'][number]

interface CaptureEvent {
  readonly stackItem: StackItem
  readonly origin: unknown
}

interface PopEvent {
  readonly stackItem: StackItem
  readonly type: HistoryCommand
}
