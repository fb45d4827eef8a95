import type { Awareness } from 'y-protocols/awareness'
import type * as Y from 'yjs'
import type { ShownText } from './shown-text.ts'

export interface BindingOptions {
  /**
   * Announces the selection to others as the field `cursor` of the local state: `{ anchor, head }`, Yjs relative
   * positions. It stays announced while the element has no focus, until another binding of this awareness gets it.
   */
  readonly awareness?: Awareness | undefined
  /**
   * Shared by several bindings, say; this one adds itself to its tracked origins. One of its own unless given, which
   * is destroyed with the binding.
   */
  readonly undoManager?: Y.UndoManager | undefined
  /**
   * Sets `element.readOnly`. That, and `disabled`, may be switched at any time: while people cannot edit the element,
   * there is no undo either, and what other code writes is reverted.
   */
  readonly readOnly?: boolean | undefined
  /** What a write to `element.value` by other code, or by the browser's autofill, is: 'take' (default) makes it an edit. */
  readonly foreignWrites?: 'take' | 'revert' | undefined
  /**
   * What an input method composes: 'live' (default) sends it as it is composed, 'finished' when it is done. On many phones
   * each word is composed.
   */
  readonly compositions?: 'live' | 'finished' | undefined
  /** A reset of the element's form: 'revert' (default) keeps the shared text, 'take' makes it an edit for everybody. */
  readonly reset?: 'take' | 'revert' | undefined
}

export interface TextareaBinding extends ShownText {
  readonly undoManager: Y.UndoManager
  /** Takes back the last step made through this binding, nobody else's. Does nothing when there is none. */
  undo(): void
  redo(): void
  /** Ends the binding: no listener is left, the element keeps its text, others see no selection of it. */
  destroy(): void
}
