import type { Presence } from '@coedit/client'
import { find } from './find.ts'
import { colorOfName } from './identity.ts'

/** What one author wrote without a longer pause. */
interface Group {
  readonly author: { readonly name: string } | null
  readonly first: number
  readonly last: number
  readonly until: string
}

/** As many as the server gives at once. */
const GROUPS = 1000

/** Shows what the document was, moment by moment, and makes it that again. */
export function offerPast(root: string, name: string, presence: Presence): void {
  const past = new Past(`${root}api/documents/${encodeURIComponent(name)}/history`, presence)
  find(document, '#history', HTMLButtonElement).addEventListener('click', () => void past.open())
}

class Past {
  readonly #url: string
  readonly #presence: Presence
  readonly #dialog = find(document, '#past', HTMLDialogElement)
  readonly #slider = find(this.#dialog, 'input', HTMLInputElement)
  readonly #bands = find(this.#dialog, '.bands', HTMLElement)
  readonly #caption = find(this.#dialog, '.caption', HTMLElement)
  readonly #text = find(this.#dialog, '.text', HTMLElement)
  readonly #restore = find(this.#dialog, '.restore', HTMLButtonElement)
  /** The latest first. */
  #groups: readonly Group[] = []
  /** Of the text that is on its way. */
  #abort = new AbortController()

  constructor(url: string, presence: Presence) {
    this.#url = url
    this.#presence = presence
    // It can be longer than its place, and is to be scrolled by keys, too.
    this.#text.tabIndex = 0
    this.#slider.addEventListener('input', () => void this.#show())
    this.#restore.addEventListener('click', () => void this.#makeAgain())
    find(this.#dialog, '.close', HTMLButtonElement).addEventListener('click', () => this.#dialog.close())
    this.#dialog.addEventListener('close', () => this.#abort.abort())
  }

  async open(): Promise<void> {
    this.#tell('Loading…')
    this.#text.textContent = ''
    this.#dialog.showModal()
    const answer = await this.#ask(`?limit=${GROUPS}`)
    if (!answer) return
    const { groups }: { groups: readonly Group[] } = await answer.json()
    this.#groups = groups
    this.#slider.min = String(Math.min(...groups.map(({ first }) => first)))
    this.#slider.max = String(Math.max(...groups.map(({ last }) => last)))
    this.#slider.value = this.#slider.max
    this.#draw()
    await this.#show()
  }

  /** Who wrote which part, as coloured bands below the slider. */
  #draw(): void {
    const [first, last] = [Number(this.#slider.min), Number(this.#slider.max)]
    const span = last - first + 1
    const bands = [...this.#groups].reverse().map((group) => {
      const band = document.createElement('i')
      band.style.setProperty('--from', `${((group.first - first) / span) * 100}%`)
      band.style.setProperty('--width', `${((group.last - group.first + 1) / span) * 100}%`)
      band.style.setProperty('--color', this.#colorOf(group))
      return band
    })
    this.#bands.replaceChildren(...bands)
  }

  async #show(): Promise<void> {
    const version = Number(this.#slider.value)
    const group = this.#groups.find(({ first, last }) => first <= version && version <= last)
    const answer = await this.#ask(`/content?at=${version}&root=content&as=text`)
    if (!answer) return
    this.#text.textContent = await answer.text()
    const when = group ? new Date(group.until).toLocaleString() : ''
    const words = `${group?.author?.name ?? 'Somebody'}, ${when}: version ${version} of ${this.#slider.max}`
    this.#tell(words)
    this.#slider.setAttribute('aria-valuetext', words)
    this.#caption.style.setProperty('--color', group ? this.#colorOf(group) : '')
    this.#restore.disabled = this.#slider.value === this.#slider.max
  }

  async #makeAgain(): Promise<void> {
    const body = JSON.stringify({ to: Number(this.#slider.value) })
    const headers = { 'content-type': 'application/json' }
    if (await this.#ask('/restore', { method: 'POST', headers, body })) this.#dialog.close()
  }

  #colorOf({ author }: Group): string {
    const name = author?.name ?? ''
    const present = [this.#presence.self, ...this.#presence.peers].find((peer) => peer.name === name)
    return present?.color ?? colorOfName(name)
  }

  /** Resolves with nothing where a later question has taken its place, or after it has told what is wrong. */
  async #ask(path: string, init: RequestInit = {}): Promise<Response | undefined> {
    this.#abort.abort()
    this.#abort = new AbortController()
    const { signal } = this.#abort
    try {
      const answer = await fetch(this.#url + path, { ...init, signal })
      if (answer.ok) return answer
      this.#tell(
        answer.status === 404 ? 'Nothing has been written here yet.' : 'The server does not show its history here.',
      )
    } catch {
      if (!signal.aborted) this.#tell('The server cannot be reached.')
    }
    this.#restore.disabled = true
    return undefined
  }

  #tell(words: string): void {
    this.#caption.textContent = words
  }
}
