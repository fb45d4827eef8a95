import type { Connection } from '@coedit/client'
import { find } from './find.ts'
import { type Identity, rememberIdentity } from './identity.ts'

/** Lets an editor choose name and colour; others see each change at once. */
export function editIdentity(pane: HTMLElement, connection: Connection, slot: string, initial: Identity): void {
  const name = find(pane, '.name', HTMLInputElement)
  const color = find(pane, '.color', HTMLInputElement)
  let identity = initial
  const showColor = () => pane.style.setProperty('--own', identity.color)
  const change = () => {
    identity = { name: name.value.trim() || identity.name, color: color.value }
    connection.setUser(identity)
    rememberIdentity(slot, identity)
    showColor()
  }
  name.value = identity.name
  color.value = identity.color
  showColor()
  name.addEventListener('input', change)
  color.addEventListener('input', change)
  // Nobody is nameless: an emptied field gets back what others still see.
  name.addEventListener('change', () => {
    name.value = identity.name
  })
}
