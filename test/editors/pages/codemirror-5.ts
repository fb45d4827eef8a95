import 'codemirror/lib/codemirror.css'
import CodeMirror from 'codemirror'
import { CodemirrorBinding } from 'y-codemirror'
import * as Y from 'yjs'
import { showEditor } from '../page.ts'

showEditor(({ parent, doc, provider }) => {
  const text = doc.getText('codemirror')
  const editor = CodeMirror(parent)
  new CodemirrorBinding(text, editor, provider.awareness, { yUndoManager: new Y.UndoManager(text) })
  return {
    focus: () => editor.focus(),
    text: () => editor.getValue(),
    textBeforeCaret: () => editor.getRange({ line: 0, ch: 0 }, editor.getCursor()),
  }
})
