import type { Connection } from '@coedit/client'
import { find } from './find.ts'

/** Says in a pane which of several servers it is connected to, where they have names. */
export function showNode(pane: Element, connection: Connection): void {
  const place = find(pane, '.node', HTMLElement)
  const show = () => {
    const { node } = connection.state
    place.hidden = node === null
    place.textContent = node === null ? '' : `on ${node}`
  }
  connection.subscribe(show)
  show()
}
