import type { Connection, ConnectionState } from '@coedit/client'
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

/** What takes less is not told: it would flicker with every key. */
const PATIENCE_MS = 500

/** Says in a pane, always, how its connection is doing. */
export function showState(pane: Element, connection: Connection, root: string): void {
  const chip = new StateChip(pane)
  const retry = new Retry(pane, connection)
  let blocked = false
  const show = () => {
    if (connection.state.connection === 'online') blocked = false
    chip.show(describe(connection.state, blocked))
    retry.show(connection.state)
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
  readonly #detail: HTMLElement
  readonly #notice: HTMLElement
  readonly #spoken: HTMLElement
  #spokenKind: Kind = 'saved'
  /** What is under way, and for how long it may be before it is told. */
  #latest: Wording | undefined
  #patience: ReturnType<typeof setTimeout> | undefined

  constructor(pane: Element) {
    this.#chip = find(pane, '.state', HTMLElement)
    this.#icon = find(this.#chip, 'path', SVGPathElement)
    this.#words = find(this.#chip, '.state-words', HTMLElement)
    this.#detail = find(this.#chip, '.state-detail', HTMLElement)
    this.#notice = find(pane, '.notice', HTMLElement)
    this.#spoken = find(pane, '.spoken', HTMLElement)
  }

  show(wording: Wording): void {
    this.#latest = wording
    if (wording.kind !== 'working') {
      clearTimeout(this.#patience)
      this.#patience = undefined
      this.#write(wording)
    } else if (this.#chip.dataset.kind === 'working') {
      this.#write(wording)
    } else {
      // The words stay, the mark that vouches for them does not.
      this.#chip.dataset.kind = 'pending'
      this.#patience ??= setTimeout(() => this.#latest && this.#write(this.#latest), PATIENCE_MS)
    }
  }

  #write({ kind, words, detail = '', notice = '' }: Wording): void {
    this.#speak(kind, notice === '' ? words : `${words}. ${notice}`)
    this.#chip.dataset.kind = kind
    this.#icon.setAttribute('d', ICONS[kind])
    this.#words.textContent = words
    this.#detail.textContent = detail
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

/** Counts down to the next attempt, and offers not to wait for it. */
class Retry {
  readonly #place: HTMLElement
  readonly #countdown: HTMLElement
  #tick: ReturnType<typeof setTimeout> | undefined

  constructor(pane: Element, connection: Connection) {
    this.#place = find(pane, '.retry', HTMLElement)
    this.#countdown = find(pane, '.countdown', HTMLElement)
    find(pane, '.try', HTMLButtonElement).addEventListener('click', () => connection.reconnectNow())
  }

  show({ connection, retryAt, access }: ConnectionState): void {
    clearTimeout(this.#tick)
    // Between two attempts it stays: one that is refused takes some milliseconds.
    if (connection !== 'offline' || access === 'denied') this.#place.hidden = true
    else if (retryAt !== null) this.#count(retryAt)
    else this.#countdown.textContent = 'retrying…'
  }

  #count(retryAt: number): void {
    const left = Math.max(0, retryAt - Date.now())
    this.#place.hidden = false
    this.#countdown.textContent = `retrying in ${Math.max(1, Math.ceil(left / 1_000))} s`
    if (left > 1_000) this.#tick = setTimeout(() => this.#count(retryAt), left % 1_000 || 1_000)
  }
}
