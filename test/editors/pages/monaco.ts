import { KeyCode, KeyMod, editor as monaco } from 'monaco-editor/esm/vs/editor/editor.api.js'
import { MonacoBinding } from 'y-monaco'
import * as Y from 'yjs'
import { showEditor } from '../page.ts'

// 0.55: y-monaco imports a path that later versions of Monaco do not export.
showEditor(({ parent, doc, provider }) => {
  const text = doc.getText('monaco')
  parent.style.height = '300px'
  const editor = monaco.create(parent, { value: '', language: 'plaintext' })
  const model = editor.getModel()
  if (model === null) throw new Error('the editor has no model')
  const binding = new MonacoBinding(text, model, new Set([editor]), provider.awareness)
  // Monaco's own undo takes back what others wrote: editors.test.ts tells why.
  const undos = new Y.UndoManager(text, { trackedOrigins: new Set([binding]) })
  editor.addCommand(KeyMod.CtrlCmd | KeyCode.KeyZ, () => undos.undo())
  editor.addCommand(KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.KeyZ, () => undos.redo())
  return {
    focus: () => editor.focus(),
    text: () => model.getValue(),
    textBeforeCaret: () => {
      const caret = editor.getPosition()
      return caret === null ? '' : model.getValue().slice(0, model.getOffsetAt(caret))
    },
  }
})
