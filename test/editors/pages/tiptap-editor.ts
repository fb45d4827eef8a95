import { Editor } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import { CollaborationCaret } from '@tiptap/extension-collaboration-caret'
import { StarterKit } from '@tiptap/starter-kit'
import type { Editor as PageEditor, Shared } from '../page.ts'
import { prosemirrorText } from './prosemirror-text.ts'

/** Tiptap 3, over whatever provider. */
export function createTiptap({ parent, doc, provider, user }: Shared<unknown>): PageEditor {
  const editor = new Editor({
    element: parent,
    extensions: [
      StarterKit.configure({ undoRedo: false }),
      Collaboration.configure({ document: doc }),
      CollaborationCaret.configure({ provider, user }),
    ],
  })
  return { focus: () => editor.view.focus(), ...prosemirrorText(() => editor.state) }
}
