import { bindTextarea, type Connection, connect, type TextareaBinding } from '@coedit/client'
import * as Y from 'yjs'
import { wholeCharacters } from './characters.ts'

/** One shared textarea in a page, connected to a server. Runs in the browser. */
let element: HTMLTextAreaElement | undefined
let connection: Connection | undefined
let binding: TextareaBinding | undefined

/** Puts a textarea for this document in the place of the one before. Resolves when the server's content is here. */
export async function open(url: string, document: string): Promise<void> {
  binding?.destroy()
  connection?.destroy()
  element = globalThis.document.createElement('textarea')
  element.id = 'text'
  globalThis.document.body.replaceChildren(element)
  connection = connect({ url, document })
  binding = bindTextarea(element, connection.text)
  element.focus()
  await connection.whenSynced
}

/** What code of the application does that knows nothing of the binding. */
export function overwrite(at: number, length: number, text: string): void {
  const { element } = opened()
  const [start, end] = wholeCharacters(element.value, at, length)
  element.value = element.value.slice(0, start) + text + element.value.slice(end)
}

export function select(at: number, length: number): void {
  const { element } = opened()
  element.setSelectionRange(...wholeCharacters(element.value, at, length))
}

/** Ends what is being typed and resolves when all of it is stored. */
export async function settle(): Promise<void> {
  opened().element.blur()
  await opened().connection.flush()
}

/** Which edits and deletions are here: equal for two that have had the same. */
export function snapshot(): number[] {
  return [...Y.encodeSnapshot(Y.snapshot(opened().connection.doc))]
}

export function texts(): { shown: string; shared: string } {
  const { element, connection } = opened()
  return { shown: element.value, shared: connection.text.toString() }
}

function opened() {
  if (element === undefined || connection === undefined) throw new Error('no document is open')
  return { element, connection }
}

declare global {
  /** What the page has of this module. */
  var editor: typeof import('./editor.ts')
}
