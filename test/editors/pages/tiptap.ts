import { Editor } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import { CollaborationCaret } from '@tiptap/extension-collaboration-caret'
import { StarterKit } from '@tiptap/starter-kit'
import { showEditor } from '../page.ts'
import { prosemirrorText } from './prosemirror-text.ts'

showEditor(({ parent, doc, provider, user }) => {
  const editor = new Editor({
    element: parent,
    extensions: [
      StarterKit.configure({ undoRedo: false }),
      Collaboration.configure({ document: doc }),
      CollaborationCaret.configure({ provider, user }),
    ],
  })
  return { focus: () => editor.view.focus(), ...prosemirrorText(() => editor.state) }
})
