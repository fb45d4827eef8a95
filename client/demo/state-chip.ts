import type { Connection } from '@coedit/client'
import { find } from './find.ts'
import { answersHttp } from './reachability.ts'
import { describe, type Kind, type Wording } from './wording.ts'

/** Strokes in a square of 16. */
const ICONS: Readonly<Record<Kind, string>> = {
  saved: 'm3 8.5 3.5 3.5L13 4.5',
  working: 'M13.5 8A5.5 5.5 0 1 1 8 2.5',
  offline: 'M5 12.5h6.5a2.8 2.8 0 0 0 .5-5.5A4 4 0 0 0 4.5 6.5M4.5 6.5A3 3 0 0 0 5 12.5M2 2l12 12',
  unsaved: 'M8 2 1.5 13.5h13ZM8 6.5v3M8 11.5v.1',
  read: 'M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8ZM8 6.5a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3',
  denied: 'M3.5 7.5h9v6h-9ZM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5',
}

/** How long after the last change "Saved" is held back, so that it does not flicker while somebody types. */
const CALM_MS = 300

/** Says in a pane, always, how its connection is doing. */
export function showState(pane: Element, connection: Connection, root: string): void {
  const chip = new StateChip(pane)
  let blocked = false
  const show = () => {
    if (connection.state.connection === 'online') blocked = false
    chip.show(describe(connection.state, blocked))
  }
  connection.subscribe(show)
  connection.onError(async ({ code }) => {
    if (code !== 'UNREACHABLE') return
    blocked = await answersHttp(root)
    show()
  })
  show()
}

class StateChip {
  readonly #chip: HTMLElement
  readonly #icon: SVGPathElement
  readonly #words: HTMLElement
  readonly #notice: HTMLElement
  readonly #spoken: HTMLElement
  #spokenKind: Kind = 'saved'
  #calm: ReturnType<typeof setTimeout> | undefined

  constructor(pane: Element) {
    this.#chip = find(pane, '.state', HTMLElement)
    this.#icon = find(this.#chip, 'path', SVGPathElement)
    this.#words = find(this.#chip, '.state-words', HTMLElement)
    this.#notice = find(pane, '.notice', HTMLElement)
    this.#spoken = find(pane, '.spoken', HTMLElement)
  }

  show(wording: Wording): void {
    clearTimeout(this.#calm)
    if (wording.kind === 'saved') this.#calm = setTimeout(() => this.#write(wording), CALM_MS)
    else this.#write(wording)
  }

  #write({ kind, words, notice = '' }: Wording): void {
    this.#speak(kind, notice === '' ? words : `${words}. ${notice}`)
    this.#chip.dataset.kind = kind
    this.#icon.setAttribute('d', ICONS[kind])
    this.#words.textContent = words
    this.#notice.textContent = notice
    this.#notice.hidden = notice === ''
  }

  /** Read aloud when something becomes different, not with every key: neither each save nor the count of edits. */
  #speak(kind: Kind, text: string): void {
    if (kind === 'working' || kind === this.#spokenKind) return
    this.#spokenKind = kind
    this.#spoken.textContent = text
  }
}
