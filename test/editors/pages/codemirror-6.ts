import { EditorView, keymap } from '@codemirror/view'
import { minimalSetup } from 'codemirror-6'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import { showEditor } from '../page.ts'

showEditor(({ parent, doc, provider }) => {
  const text = doc.getText('codemirror')
  const view = new EditorView({
    doc: text.toString(),
    // The keys come first, so that they find the shared undo before CodeMirror's own.
    extensions: [keymap.of(yUndoManagerKeymap), minimalSetup, yCollab(text, provider.awareness)],
    parent,
  })
  return {
    focus: () => view.focus(),
    text: () => view.state.doc.toString(),
    textBeforeCaret: () => view.state.sliceDoc(0, view.state.selection.main.head),
  }
})
