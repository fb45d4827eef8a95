import 'prosemirror-view/style/prosemirror.css'
import { exampleSetup } from 'prosemirror-example-setup'
import { keymap } from 'prosemirror-keymap'
import { schema } from 'prosemirror-schema-basic'
import { EditorState } from 'prosemirror-state'
import { EditorView } from 'prosemirror-view'
import { redo, undo, yCursorPlugin, ySyncPlugin, yUndoPlugin } from 'y-prosemirror'
import { showEditor } from '../page.ts'
import { prosemirrorText } from './prosemirror-text.ts'

showEditor(({ parent, doc, provider }) => {
  const state = EditorState.create({
    schema,
    plugins: [
      ySyncPlugin(doc.getXmlFragment('prosemirror')),
      yCursorPlugin(provider.awareness),
      yUndoPlugin(),
      keymap({ 'Mod-z': undo, 'Mod-y': redo, 'Mod-Shift-z': redo }),
      ...exampleSetup({ schema, history: false, menuBar: false }),
    ],
  })
  const view = new EditorView(parent, { state })
  return { focus: () => view.focus(), ...prosemirrorText(() => view.state) }
})
