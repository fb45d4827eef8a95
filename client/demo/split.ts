import type { ConnectionState, Presence } from '@coedit/client'
import { recall, remember } from './memory.ts'
import type { Panes } from './panes.ts'

/** Where two panes fit side by side; layout.css and pane.css have the same width. */
const WIDE = '(width >= 60rem)'
const DECLINED = 'one-editor'

/** Shows a second editor by a button, and by itself to whoever would see nobody edit otherwise. */
export function offerSplit(button: HTMLButtonElement, container: HTMLElement, panes: Panes, presence: Presence): void {
  const show = () => {
    button.setAttribute('aria-pressed', String(panes.areTwo))
    // Until now the page kept the place of the second, so that nothing jumps when it comes.
    delete container.dataset.panes
  }
  button.addEventListener('click', () => {
    if (panes.areTwo) panes.closeSecond()
    else panes.openSecond()
    remember('browser', DECLINED, panes.areTwo ? null : 'yes')
    show()
  })
  if (!isWelcome(panes)) show()
  else {
    onSettled(panes, ({ synced }) => {
      if (synced && presence.peers.length === 0) panes.openSecond()
      show()
    })
  }
}

function isWelcome({ first }: Panes): boolean {
  const mayWrite = first.connection.state.access === 'write'
  return mayWrite && matchMedia(WIDE).matches && recall('browser', DECLINED) === null
}

/** Calls `decide` once it is known who is here, or that this cannot be known now. */
function onSettled({ first: { connection } }: Panes, decide: (state: ConnectionState) => void): void {
  const unsubscribe = connection.subscribe((state) => {
    if (!state.synced && state.connection !== 'offline' && state.access !== 'denied') return
    unsubscribe()
    decide(state)
  })
}
