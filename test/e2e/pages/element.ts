import { type Connection, connect } from '@coedit/client'
import type { CoeditTextarea } from '@coedit/client/element'

export { defineCoeditTextarea } from '@coedit/client/element'

/** The first shared textarea of the page. */
export function find(): CoeditTextarea {
  const element = document.querySelector('coedit-textarea')
  if (element === null) throw new Error('the page has no <coedit-textarea>')
  return element
}

/** How many others have its document open. */
export function others(): number {
  const { connection } = find()
  return connection === null ? 0 : connection.awareness.getStates().size - 1
}

/** Gives the element a connection of the page's own. */
export function giveConnection(url: string, document: string): Connection {
  const connection = connect({ url, document })
  find().connection = connection
  return connection
}

/** The names of all who have its document open. */
export function names(): string[] {
  const states = find().connection?.awareness.getStates() ?? new Map()
  return [...states.values()].map(({ user }) => user?.name).sort()
}

/** The states and the codes of the errors that bubbled up to the document since `listen`. */
export const told = { states: [] as string[], errors: [] as string[] }

export function listen(): void {
  document.addEventListener('coedit-state', ({ detail }) => told.states.push(detail.connection))
  document.addEventListener('coedit-error', ({ detail }) => told.errors.push(detail.code))
}

/** The ways to make it the last child of the body. */
export const moves = {
  append: () => document.body.append(find()),
  moveBefore: () => document.body.moveBefore(find(), null),
  'remove and append': () => {
    const element = find()
    element.remove()
    document.body.append(element)
  },
}

/** Counts the calls of a token function that answers with `token`. */
export function countingToken(token: string): { calls: number; readonly ask: () => Promise<string> } {
  const source = {
    calls: 0,
    ask: async () => {
      source.calls += 1
      return token
    },
  }
  return source
}

declare global {
  /** What a page has of this module. */
  var coedit: typeof import('./element.ts')
}
