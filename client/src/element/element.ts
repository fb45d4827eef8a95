import type { TextareaBinding } from '../binding/binding.ts'
import type { ClientError } from '../common/errors.ts'
import type { Connection } from '../connection/connection.ts'
import type { ConnectionState } from '../connection/state.ts'
import { ElementHost } from './element-host.ts'
import { OBSERVED_ATTRIBUTES, type TokenFunction } from './element-settings.ts'

/**
 * A textarea in a form or anywhere else, made a shared one by the element around it:
 *
 *     <coedit-textarea url="https://host/" document="notes"><textarea name="body"></textarea></coedit-textarea>
 *
 * The textarea is its child in the light DOM, so that forms, labels, styles and validation work as ever; without one it
 * makes one. It is connected while it is in a page; to move it within the page changes nothing. Before it is removed
 * for good, `await element.connection.flush()` if edits may be under way.
 *
 * Attributes, all of which may change at any time:
 * - `document`: the document's name, not encoded. Nothing is opened without it.
 * - `url`: the server's base address, absolute or relative to the page. Default: where the page lies.
 * - `user-name`, `user-color`: what others see of this editor.
 * - `user-id`: whose edits this browser keeps and shares between its tabs; see `connect`.
 * - `access="read"`: shows the text and lets nobody type.
 * - `offline`: keeps a copy in this browser; needs `user-id`.
 * - `carets`: shows the carets of others.
 *
 * Events, which bubble: `coedit-state` for the first state and each after it, and `coedit-error`.
 */
export interface CoeditTextarea extends HTMLElement {
  /** Gives the token that the server asks for; see `connect`. Default: none is sent. */
  token: TokenFunction | undefined
  /**
   * Null while nothing is open. What attributes ask for is opened in the microtask after they were set. It may be set to
   * a connection of the page's own, such as one of a y-websocket provider, which the element uses in the place of what
   * attributes ask for, and never ends; null sets it free again.
   */
  get connection(): Connection | null
  set connection(connection: Connection | null)
  /** Null while nothing is open. */
  readonly binding: TextareaBinding | null
  /** The textarea in it. Null before the first opening where the page gave none. */
  readonly textarea: HTMLTextAreaElement | null
}

declare global {
  interface HTMLElementTagNameMap {
    'coedit-textarea': CoeditTextarea
  }
  interface GlobalEventHandlersEventMap {
    'coedit-state': CustomEvent<ConnectionState>
    'coedit-error': CustomEvent<ClientError>
  }
}

/** Registers the element, see `CoeditTextarea`. Does nothing where the name is taken, so that it may be called twice. */
export function defineCoeditTextarea(name = 'coedit-textarea'): void {
  if (customElements.get(name) === undefined) customElements.define(name, elementClass())
}

/** The class is made when it is asked for: a server, which imports this module too, has no HTMLElement to extend. */
function elementClass(): CustomElementConstructor {
  return class CoeditTextareaElement extends HTMLElement implements CoeditTextarea {
    static readonly observedAttributes = OBSERVED_ATTRIBUTES
    readonly #host = new ElementHost(this)

    get token(): TokenFunction | undefined {
      return this.#host.properties.token
    }

    set token(token: TokenFunction | undefined) {
      this.#host.set({ token })
    }

    get connection(): Connection | null {
      return this.#host.session?.connection ?? this.#host.properties.connection
    }

    set connection(connection: Connection | null) {
      this.#host.set({ connection })
    }

    get binding(): TextareaBinding | null {
      return this.#host.session?.binding ?? null
    }

    get textarea(): HTMLTextAreaElement | null {
      return this.querySelector('textarea')
    }

    connectedCallback(): void {
      adoptOwnProperty(this, 'token')
      adoptOwnProperty(this, 'connection')
      this.#host.update()
    }

    disconnectedCallback(): void {
      this.#host.update()
    }

    /** Its presence tells `moveBefore` that a move is neither a removal nor an insertion. */
    connectedMoveCallback(): void {}

    attributeChangedCallback(): void {
      this.#host.update()
    }
  }
}

/** A property that was set before the element was defined hides the accessor: it is taken off and set again. */
function adoptOwnProperty(element: HTMLElement, name: 'token' | 'connection'): void {
  if (!Object.hasOwn(element, name)) return
  const value: unknown = Reflect.get(element, name)
  Reflect.deleteProperty(element, name)
  Reflect.set(element, name, value)
}
