import type { EditorState } from 'prosemirror-state'
import type { Editor } from '../page.ts'

/** The text of a ProseMirror document: its blocks as lines. */
export function prosemirrorText(state: () => EditorState): Pick<Editor, 'text' | 'textBeforeCaret'> {
  return {
    text: () => state().doc.textBetween(0, state().doc.content.size, '\n'),
    textBeforeCaret: () => state().doc.textBetween(0, state().selection.head, '\n'),
  }
}
