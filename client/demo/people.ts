import type { Peer, Presence } from '@coedit/client'

/** More would push the rest of the page aside. */
const SHOWN_AT_MOST = 5

/** Shows who else is here, as round avatars with initials, and beyond some only how many. */
export function showPeople(list: HTMLUListElement, presence: Presence): void {
  let shown = ''
  const show = (peers: readonly Peer[]) => {
    const looks = JSON.stringify(peers.map(({ name, color }) => [name, color]))
    // Peers change with each move of a caret, too.
    if (looks === shown) return
    shown = looks
    const avatars = peers.slice(0, SHOWN_AT_MOST).map(avatar)
    const rest = peers.length - avatars.length
    list.replaceChildren(...avatars, ...(rest > 0 ? [item(`+${rest}`, `and ${rest} more`)] : []))
  }
  presence.subscribe(show)
  show(presence.peers)
}

function avatar({ name, color, ink }: Peer): HTMLLIElement {
  const element = item(initials(name), name)
  element.style.setProperty('background-color', color)
  element.style.setProperty('color', ink)
  return element
}

function item(text: string, title: string): HTMLLIElement {
  const element = document.createElement('li')
  element.textContent = text
  element.title = title
  element.ariaLabel = title
  return element
}

/** The first letters of the first and the last word. */
function initials(name: string): string {
  const words = name.split(/\s+/)
  const ends = words.length > 1 ? [words.at(0), words.at(-1)] : words
  return ends
    .map((word = '') => [...word][0] ?? '')
    .join('')
    .toUpperCase()
}
