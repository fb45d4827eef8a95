import { IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'
import { bindTextarea } from '../../../client/src/binding/textarea.ts'
import { connect } from '../../../client/src/connection/connect.ts'
import type { Connection, ConnectOptions } from '../../../client/src/connection/connection.ts'
import type { ConnectionState } from '../../../client/src/connection/state.ts'

export { clearOffline } from '../../../client/src/connection/browser-storage.ts'

/** The page's connection, with the options that its address tells. */
export let connection: Connection
/** All of its states, and the codes of its errors. */
export const told: { readonly states: ConnectionState[]; readonly errors: string[] } = { states: [], errors: [] }
/** Of each `pageshow`: whether it was out of the back/forward cache. */
export const shows: boolean[] = []
/** What the connection was each time when the page was left. */
export const hides: string[] = []

addEventListener('pageshow', ({ persisted }) => shows.push(persisted))

export function start(): void {
  const textarea = document.querySelector('textarea')
  if (textarea === null) throw new Error('the page has no textarea')
  connection = connect(options())
  addEventListener('pagehide', () => hides.push(connection.state.connection))
  connection.subscribe((state) => told.states.push(state))
  connection.onError(({ code }) => told.errors.push(code))
  bindTextarea(textarea, connection.text)
  textarea.focus()
}

export function others(): number {
  return connection.awareness.getStates().size - 1
}

/** The text of an offline copy, as another program that uses y-indexeddb gets it. */
export async function readByYIndexeddb(name: string): Promise<string> {
  const doc = new Y.Doc()
  const persistence = new IndexeddbPersistence(name, doc)
  await persistence.whenSynced
  await persistence.destroy()
  return doc.getText('content').toString()
}

function options(): ConnectOptions {
  return JSON.parse(decodeURIComponent(location.search.slice(1)))
}

declare global {
  /** What the page has of this module. */
  var client: typeof import('./connection.ts')
}
