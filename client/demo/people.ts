import type { Overlay, Peer, Presence } from '@coedit/client'
import { find } from './find.ts'
import type { Pane } from './pane.ts'

/** So many others are shown, and beyond them only how many: more would push the rest of the page aside. */
const SHOWN_AT_MOST = { wide: 5, narrow: 2 }
/** layout.css has the same width. */
const NARROW = '(width < 40rem)'

/**
 * Shows who is here, as round avatars with initials: oneself first, then the others in the order in which they came. A
 * press goes to where that person types.
 */
export function showPeople(list: HTMLUListElement, presence: Presence, { connection, overlay, textarea }: Pane): void {
  const people = new People(list, presence, overlay, textarea)
  const show = () => people.show()
  presence.subscribe(show)
  // Of oneself the presence tells nothing.
  connection.awareness.on('change', show)
  matchMedia(NARROW).addEventListener('change', show)
  show()
}

class People {
  readonly #list: HTMLUListElement
  readonly #presence: Presence
  readonly #overlay: Overlay
  readonly #textarea: HTMLTextAreaElement
  readonly #items = new Map<number, HTMLLIElement>()
  /** Who came in which order; who is away for a moment comes back to the same place. */
  readonly #arrivals: number[] = []
  readonly #more = document.createElement('li')

  constructor(list: HTMLUListElement, presence: Presence, overlay: Overlay, textarea: HTMLTextAreaElement) {
    this.#list = list
    this.#presence = presence
    this.#overlay = overlay
    this.#textarea = textarea
    this.#more.className = 'avatar'
  }

  show(): void {
    const { self, peers } = this.#presence
    for (const { clientId } of peers) if (!this.#arrivals.includes(clientId)) this.#arrivals.push(clientId)
    const others = [...peers].sort((a, b) => this.#arrivals.indexOf(a.clientId) - this.#arrivals.indexOf(b.clientId))
    const room = matchMedia(NARROW).matches ? SHOWN_AT_MOST.narrow : SHOWN_AT_MOST.wide
    const items = [this.#item(self, true), ...others.slice(0, room).map((peer) => this.#item(peer, false))]
    const hidden = others.slice(room)
    if (hidden.length > 0) {
      this.#more.textContent = `+${hidden.length}`
      this.#more.title = hidden.map(({ name }) => name).join(', ')
      this.#more.setAttribute('aria-label', `and ${hidden.length} more`)
      items.push(this.#more)
    }
    this.#arrange(items)
  }

  /** Moves nothing that is in its place, so that the focus stays. */
  #arrange(items: readonly HTMLLIElement[]): void {
    for (const item of [...this.#list.children]) {
      if (!items.some((wanted) => wanted === item)) item.remove()
    }
    items.forEach((item, at) => {
      const present = this.#list.children[at]
      if (present !== item) this.#list.insertBefore(item, present ?? null)
    })
  }

  #item(peer: Peer, isSelf: boolean): HTMLLIElement {
    const item = this.#items.get(peer.clientId) ?? this.#make(peer.clientId, isSelf)
    const { name, color, ink, cursor } = peer
    const button = find(item, 'button', HTMLButtonElement)
    const letters = initials(name)
    button.textContent = letters
    button.style.setProperty('--color', color)
    button.style.setProperty('--ink', ink)
    button.setAttribute('aria-disabled', String(!isSelf && cursor === null))
    // With what is seen of it, by which one calls it who talks to the browser.
    button.setAttribute('aria-label', `${name}, ${letters}${isSelf ? ', you' : ''}`)
    button.title = isSelf ? `${name} (you)` : cursor === null ? `${name} looks on` : `Go to ${name}`
    return item
  }

  #make(clientId: number, isSelf: boolean): HTMLLIElement {
    const item = document.createElement('li')
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'avatar'
    button.addEventListener('click', () => {
      if (isSelf) this.#textarea.focus()
      else this.#overlay.reveal(clientId)
    })
    item.append(button)
    this.#items.set(clientId, item)
    return item
  }
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
