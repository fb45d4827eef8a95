import type { TextareaBinding } from '@coedit/client'
import { find } from './find.ts'

/** Undo and redo by buttons, for those who have no keyboard. */
export function offerHistory(pane: Element, binding: TextareaBinding): void {
  const undo = find(pane, '.undo', HTMLButtonElement)
  const redo = find(pane, '.redo', HTMLButtonElement)
  const { undoManager } = binding
  // Not `disabled`: a button that is disabled by its own press loses the focus.
  const show = () => {
    undo.setAttribute('aria-disabled', String(!undoManager.canUndo()))
    redo.setAttribute('aria-disabled', String(!undoManager.canRedo()))
  }
  undo.addEventListener('click', () => binding.undo())
  redo.addEventListener('click', () => binding.redo())
  undoManager.on('stack-item-added', show)
  undoManager.on('stack-item-popped', show)
  undoManager.on('stack-cleared', show)
  show()
}
