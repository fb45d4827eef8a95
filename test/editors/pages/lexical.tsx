import { LexicalCollaboration } from '@lexical/react/LexicalCollaborationContext'
import { CollaborationPlugin } from '@lexical/react/LexicalCollaborationPlugin'
import { LexicalComposer } from '@lexical/react/LexicalComposer'
import { ContentEditable } from '@lexical/react/LexicalContentEditable'
import { EditorRefPlugin } from '@lexical/react/LexicalEditorRefPlugin'
import { LexicalErrorBoundary } from '@lexical/react/LexicalErrorBoundary'
import { RichTextPlugin } from '@lexical/react/LexicalRichTextPlugin'
import type { Provider } from '@lexical/yjs'
import { $getRoot, $getSelection, $isRangeSelection, type LexicalEditor, type LexicalNode } from 'lexical'
import { createRef } from 'react'
import { flushSync } from 'react-dom'
import { createRoot } from 'react-dom/client'
import { showEditor } from '../page.ts'

showEditor(({ parent, doc, provider, user, isFirst }) => {
  const ref = createRef<LexicalEditor>()
  const providerFactory = (id: string, docs: Map<string, typeof doc>): Provider => {
    docs.set(id, doc)
    // @ts-expect-error -- Lexical declares listeners of less than the provider tells them, and works with it.
    return provider
  }
  flushSync(() =>
    createRoot(parent).render(
      <LexicalCollaboration>
        <LexicalComposer initialConfig={{ namespace: 'page', editorState: null, onError: rethrow }}>
          <RichTextPlugin contentEditable={<ContentEditable />} ErrorBoundary={LexicalErrorBoundary} />
          <CollaborationPlugin
            id="lexical"
            providerFactory={providerFactory}
            shouldBootstrap={isFirst}
            username={user.name}
            cursorColor={user.color}
          />
          <EditorRefPlugin editorRef={ref} />
        </LexicalComposer>
      </LexicalCollaboration>,
    ),
  )
  const editor = ref.current
  if (editor === null) throw new Error('the editor is not mounted')
  return {
    focus: () => editor.getRootElement()?.focus(),
    text: () => editor.getEditorState().read(() => $textOf($getRoot().getChildren(), '\n')),
    textBeforeCaret: () => editor.getEditorState().read($textBeforeCaret),
  }
})

/** Blocks are paragraphs, and all that is in them is text. */
function $textBeforeCaret(): string {
  const selection = $getSelection()
  if (!$isRangeSelection(selection)) return ''
  const { focus } = selection
  const block = focus.getNode().getTopLevelElementOrThrow()
  const before =
    focus.type === 'text'
      ? $textOf(focus.getNode().getPreviousSiblings()) + focus.getNode().getTextContent().slice(0, focus.offset)
      : $textOf(focus.getNode().getChildren().slice(0, focus.offset))
  return [...block.getPreviousSiblings().map((node) => node.getTextContent()), before].join('\n')
}

function $textOf(nodes: readonly LexicalNode[], between = ''): string {
  return nodes.map((node) => node.getTextContent()).join(between)
}

function rethrow(error: Error): never {
  throw error
}
