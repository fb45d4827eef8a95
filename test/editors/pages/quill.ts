import 'quill/dist/quill.snow.css'
import Quill from 'quill'
import QuillCursors from 'quill-cursors'
import { QuillBinding } from 'y-quill'
import { showEditor } from '../page.ts'

showEditor(({ parent, doc, provider }) => {
  Quill.register('modules/cursors', QuillCursors)
  const quill = new Quill(parent, {
    theme: 'snow',
    // As the documentation of Yjs has it: nobody undoes what others did.
    modules: { cursors: true, history: { userOnly: true } },
  })
  new QuillBinding(doc.getText('quill'), quill, provider.awareness)
  return {
    focus: () => quill.focus(),
    text: () => quill.getText(),
    textBeforeCaret: () => quill.getText(0, quill.getSelection()?.index ?? 0),
  }
})
