import '@blocknote/core/style.css'
import { BlockNoteEditor } from '@blocknote/core'
import { showEditor } from '../page.ts'
import { prosemirrorText } from './prosemirror-text.ts'

// 0.51: npm cannot install later versions, whose optional peers are prereleases of Yjs 14 that the registry lacks.
showEditor(({ parent, doc, provider, user }) => {
  const editor = BlockNoteEditor.create({
    collaboration: { fragment: doc.getXmlFragment('blocknote'), provider, user },
  })
  editor.mount(parent)
  return { focus: () => editor.focus(), ...prosemirrorText(() => editor.prosemirrorState) }
})
