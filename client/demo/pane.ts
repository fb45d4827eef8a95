import type { Connection, Overlay, TextareaBinding } from '@coedit/client'
import { find } from './find.ts'
import { offerHistory } from './history-buttons.ts'
import type { Identity } from './identity.ts'
import { editIdentity } from './identity-fields.ts'
import { showNode } from './node-name.ts'
import { tellReunions } from './reunion.ts'
import { share } from './share.ts'
import { showState } from './state-chip.ts'

/** The document that the page is about, and where it is kept. */
export interface Place {
  /** The address below which the server is mounted, with a slash at the end. */
  readonly root: string
  readonly document: string
  readonly access: 'write' | 'read'
}

/** One editor of the page: a textarea with a connection, a name and a colour of its own. */
export interface Pane {
  readonly element: HTMLElement
  readonly textarea: HTMLTextAreaElement
  readonly connection: Connection
  readonly binding: TextareaBinding
  readonly overlay: Overlay
  close(): void
}

/** Everybody who has the link may edit, so there are no accounts: all tabs of a browser are one user's. */
const USER_ID = 'anonymous'

/** Which editor of the page it is: each is remembered as somebody else. */
export type Slot = 'first' | 'second'

/** Brings a pane to life. */
export function openPane(element: HTMLElement, place: Place, slot: Slot, identity: Identity): Pane {
  const { root, document, access } = place
  const textarea = find(element, 'textarea', HTMLTextAreaElement)
  textarea.readOnly = false
  if (access === 'read') textarea.placeholder = 'Nothing has been written here yet.'
  const user = { id: USER_ID, ...identity }
  const { connection, binding, overlay } = share(textarea, { url: root, document, access, user, offline: true })

  showState(element, connection, root)
  showNode(element, connection)
  editIdentity(element, connection, slot, identity)
  tellReunions(find(element, '.reunion', HTMLElement), connection)
  offerHistory(element, binding)
  offerPause(element, connection)
  return {
    element,
    textarea,
    connection,
    binding,
    overlay,
    close() {
      overlay.destroy()
      binding.destroy()
      connection.destroy()
      element.remove()
    },
  }
}

function offerPause(pane: HTMLElement, connection: Connection): void {
  const button = find(pane, '.pause', HTMLButtonElement)
  let paused = false
  button.addEventListener('click', () => {
    paused = !paused
    pane.toggleAttribute('data-paused', paused)
    if (paused) connection.pause()
    else connection.resume()
    button.textContent = paused ? 'Go online' : 'Go offline'
    // The way back is the next thing to do, so it stands out.
    button.classList.toggle('quiet', !paused)
  })
}
