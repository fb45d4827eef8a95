import { bindTextarea, type Connection } from '@coedit/client'
import { find } from './find.ts'
import { isUnguessable } from './location.ts'

/** A name of so many characters is no heading. */
const LONG = 20
const UNTITLED = 'Untitled document'

/** What a document is called: by its name or, where that is none for people, by a title that is shared in it. */
export class Title {
  readonly #name: string
  readonly #shared: Connection['text'] | undefined

  constructor(name: string, { doc }: Connection) {
    this.#name = name
    this.#shared = name.length < LONG ? undefined : doc.getText('title')
  }

  get words(): string {
    return this.#shared?.toString().trim() || this.#untitled
  }

  /** Shows the title, and lets those who may write set it. */
  show(access: 'write' | 'read'): void {
    const heading = find(document, '#name', HTMLElement)
    const show = () => {
      heading.textContent = this.words
      heading.title = this.words
      document.title = `${this.words} – coedit`
    }
    show()
    this.#shared?.observe(show)
    if (this.#shared === undefined || access === 'read') return
    const field = find(document, '#title', HTMLInputElement)
    field.placeholder = this.#untitled
    field.hidden = false
    // It stays the page's heading for those who listen.
    heading.classList.add('unseen')
    bindTextarea(field, this.#shared)
  }

  get #untitled(): string {
    return isUnguessable(this.#name) ? UNTITLED : this.#name
  }
}
