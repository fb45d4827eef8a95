import type { Connection, ConnectionState } from '@coedit/client'
import { useCarets, useConnection, useConnectionState, usePeers, useTextarea } from '@coedit/client/react'
import { type ComponentProps, createElement, StrictMode, useState } from 'react'
import { hydrateRoot, type Root } from 'react-dom/client'
import { renderToString } from 'react-dom/server'

export interface EditorProps {
  readonly url: string
  readonly document: string
  readonly name: string
  /** Default: the server is not sent any. */
  readonly token?: 'given' | 'refused'
  /** Whether React holds the text as state and writes it to the textarea. */
  readonly isControlled: boolean
  /** Whether there is a textarea, or only the connection. */
  readonly hasTextarea: boolean
}

/** What React complained about. */
export const complaints: string[] = []

/** An editor as applications write them: the options are a new object with a new function at each rendering. */
function Editor({ url, document, name, token, isControlled, hasTextarea }: EditorProps) {
  const connection = useConnection({
    url,
    document,
    user: { name, color: '#aa0000' },
    ...(token && { token: () => answer(token) }),
  })
  const state = useConnectionState(connection)
  const peers = usePeers(connection)
  return createElement(
    'main',
    null,
    createElement('p', { id: 'state' }, state.error?.code ?? (state.saved ? 'Saved' : state.connection)),
    createElement('p', { id: 'peers' }, peers.map((peer) => peer.name).join()),
    hasTextarea && createElement(Textarea, { connection, access: state.access, isControlled }),
  )
}

async function answer(token: 'given' | 'refused'): Promise<string> {
  if (token === 'refused') throw new Error('nobody is signed in')
  return 'a-token'
}

interface TextareaProps {
  readonly connection: Connection | null
  readonly access: ConnectionState['access']
  readonly isControlled: boolean
}

function Textarea({ connection, access, isControlled }: TextareaProps) {
  const { ref, binding } = useTextarea(connection, { reset: 'revert' })
  useCarets(connection, binding)
  const [text, setText] = useState('')
  const attributes: ComponentProps<'textarea'> = {
    ref,
    readOnly: access !== 'write',
    onChange: ({ target }) => setText(target.value),
  }
  return createElement(
    'section',
    null,
    createElement('textarea', isControlled ? { ...attributes, value: text } : attributes),
    createElement('output', null, text),
  )
}

function tree(props: EditorProps | null) {
  return createElement(StrictMode, null, props && createElement(Editor, props))
}

let root: Root

/** Renders as a server does, and lets the page take it over. */
export function hydrate(props: EditorProps): void {
  document.body.innerHTML = renderToString(tree(props))
  root = hydrateRoot(document.body, tree(props), { onRecoverableError: (error) => complaints.push(String(error)) })
}

/** Null renders nothing. */
export function render(props: EditorProps | null): void {
  root.render(tree(props))
}

declare global {
  /** What a page has of this module. */
  var app: typeof import('./react.ts')
}
