import { slateNodesToInsertDelta, withCursors, withYHistory, withYjs, YjsEditor } from '@slate-yjs/core'
import { useEffect } from 'react'
import { createRoot } from 'react-dom/client'
import { createEditor, type Descendant, Editor, Node, Transforms } from 'slate'
import { Editable, ReactEditor, Slate, withReact } from 'slate-react'
import * as Y from 'yjs'
import { showEditor } from '../page.ts'

const EMPTY = [{ children: [{ text: '' }] }]

showEditor(({ parent, doc, provider, isFirst }) => {
  const root = doc.get('slate', Y.XmlText)
  const editor = withReact(withYHistory(withCursors(withYjs(createEditor(), root), provider.awareness)))
  const { normalizeNode } = editor
  editor.normalizeNode = (entry, options) => {
    // As the documentation of slate-yjs has it: an editor without a block takes no text.
    if (!Editor.isEditor(entry[0]) || editor.children.length > 0) normalizeNode(entry, options)
    else Transforms.insertNodes(editor, EMPTY, { at: [0] })
  }

  function View() {
    useEffect(() => {
      const connect = (isSynced: boolean) => {
        if (!isSynced || YjsEditor.connected(editor)) return
        if (isFirst && root.length === 0) root.applyDelta(slateNodesToInsertDelta(EMPTY))
        YjsEditor.connect(editor)
      }
      provider.on('sync', connect)
      connect(provider.synced)
    }, [])
    return (
      <Slate editor={editor} initialValue={EMPTY}>
        <Editable />
      </Slate>
    )
  }

  createRoot(parent).render(<View />)
  return {
    focus: () => ReactEditor.focus(editor),
    text: () => textOf(editor.children),
    textBeforeCaret: () => {
      const { selection } = editor
      if (selection === null) return ''
      return textOf(Node.fragment(editor, { anchor: Editor.start(editor, []), focus: selection.focus }))
    },
  }
})

function textOf(blocks: readonly Descendant[]): string {
  return blocks.map((block) => Node.string(block)).join('\n')
}
