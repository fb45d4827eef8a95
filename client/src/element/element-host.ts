import { ClientError } from '../common/errors.ts'
import { type ElementSession, openSession } from './element-session.ts'
import { type ElementProperties, type ElementSettings, readSettings } from './element-settings.ts'

/**
 * What `<coedit-textarea>` does, without being an element. Whatever happens to the element is one call of `update`,
 * and once all that happens in the same task has happened, what is open is made what the element asks for: thus a move
 * within the page is no removal, and ten attributes set in a row are one connection.
 */
export class ElementHost {
  readonly #element: HTMLElement
  #properties: ElementProperties = { token: undefined, connection: null }
  #endEvents = () => {}
  #session: ElementSession | null = null
  #isUpdating = false

  constructor(element: HTMLElement) {
    this.#element = element
  }

  get session(): ElementSession | null {
    return this.#session
  }

  get properties(): ElementProperties {
    return this.#properties
  }

  set(properties: Partial<ElementProperties>): void {
    this.#properties = { ...this.#properties, ...properties }
    this.update()
  }

  update(): void {
    if (this.#isUpdating) return
    this.#isUpdating = true
    queueMicrotask(() => {
      this.#isUpdating = false
      this.#reconcile()
    })
  }

  #reconcile(): void {
    const settings = readSettings(this.#element, this.#properties)
    if (settings !== null && this.#session?.fits(settings)) {
      this.#session.follow(settings)
      return
    }
    this.#endEvents()
    this.#session?.close()
    this.#session = null
    if (settings !== null) this.#open(settings)
  }

  #open(settings: ElementSettings): void {
    const textarea = this.#textarea()
    if (textarea === null) return
    try {
      this.#session = openSession(textarea, settings)
    } catch (error) {
      if (error instanceof ClientError) this.#dispatch('coedit-error', error)
      // Also where it is seen when nobody listens: what was asked for is a mistake of who wrote the page.
      throw error
    }
    const { connection } = this.#session
    const endStates = connection.subscribe((state) => this.#dispatch('coedit-state', state))
    const endErrors = connection.onError((error) => this.#dispatch('coedit-error', error))
    this.#endEvents = () => {
      endStates()
      endErrors()
    }
    this.#dispatch('coedit-state', connection.state)
  }

  /** Null while the parser may still be about to give it one. */
  #textarea(): HTMLTextAreaElement | null {
    const element = this.#element
    const document = element.ownerDocument
    const given = element.querySelector('textarea')
    if (given !== null) return given
    if (document.readyState === 'loading') {
      document.addEventListener('DOMContentLoaded', () => this.update(), { once: true })
      return null
    }
    return element.appendChild(document.createElement('textarea'))
  }

  #dispatch(type: 'coedit-state' | 'coedit-error', detail: unknown): void {
    this.#element.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }))
  }
}
