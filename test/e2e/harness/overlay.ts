import {
  announcePeers,
  bindTextarea,
  type Overlay,
  showPeers,
  type TextareaBinding,
  type TextElement,
} from '@coedit/client'
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import * as Y from 'yjs'

/** A bound element with an overlay, and peers whose edits and states arrive at once. Runs in the browser. */
export class OverlayScene {
  readonly element: TextElement
  readonly doc = new Y.Doc()
  readonly text = this.doc.getText('content')
  readonly awareness = new Awareness(this.doc)
  readonly binding: TextareaBinding
  readonly overlay: Overlay
  readonly endAnnouncements: () => void
  readonly #peers = new Map<string, Peer>()

  constructor(element: TextElement, text: string) {
    // The binding rests after what took long, and on a busy machine all does.
    performance.now = () => 0
    this.element = element
    this.text.insert(0, text)
    this.binding = bindTextarea(element, this.text, { awareness: this.awareness })
    this.overlay = showPeers(this.binding, this.awareness)
    this.endAnnouncements = announcePeers(this.awareness)
  }

  /** A peer by name, who comes with the first call. */
  peer(name: string): Peer {
    const known = this.#peers.get(name)
    if (known !== undefined) return known
    const peer = new Peer(this, name)
    this.#peers.set(name, peer)
    return peer
  }

  /** Where the overlay draws a peer's caret, relative to the viewport; null where it does not. */
  caret(name: string): { left: number; top: number; right: number; bottom: number } | null {
    const caret = this.name(name)?.parentElement
    if (!caret) return null
    const { left, top, right, bottom } = caret.getBoundingClientRect()
    return { left, top, right, bottom }
  }

  /** What shows a peer's name, where its caret is drawn. */
  name(name: string): HTMLElement | undefined {
    return this.drawn('name').find(({ textContent }) => textContent === name)
  }

  /** The elements of a class that the overlay has drawn. */
  drawn(className: 'caret' | 'selection' | 'name' | 'edge'): HTMLElement[] {
    return [...this.root.querySelectorAll<HTMLElement>(`.${className}`)]
  }

  /** The root of what the overlay adds to the page. */
  get root(): ShadowRoot {
    const root = this.element.nextElementSibling?.shadowRoot
    if (!root) throw new Error('there is no overlay behind the element')
    return root
  }
}

export class Peer {
  readonly #scene: OverlayScene
  readonly #doc = new Y.Doc()
  readonly #awareness = new Awareness(this.#doc)
  readonly #user: { name: string; color?: string }

  constructor(scene: OverlayScene, name: string) {
    this.#scene = scene
    this.#user = { name }
  }

  get clientId(): number {
    return this.#doc.clientID
  }

  color(color: string): this {
    this.#user.color = color
    return this
  }

  /** Selects from one offset of the shared text to another. */
  select(anchor: number, head = anchor): void {
    Y.applyUpdate(this.#doc, Y.encodeStateAsUpdate(this.#scene.doc))
    const text = this.#doc.getText('content')
    const at = (index: number) => Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, index, -1))
    this.say({ user: this.#user, cursor: { anchor: at(anchor), head: at(head) } })
  }

  edit(edit: (text: Y.Text) => void): void {
    Y.applyUpdate(this.#doc, Y.encodeStateAsUpdate(this.#scene.doc))
    this.#doc.transact(() => edit(this.#doc.getText('content')))
    Y.applyUpdate(this.#scene.doc, Y.encodeStateAsUpdate(this.#doc), 'delivery')
  }

  /** Announces any state. */
  say(state: Record<string, unknown>): void {
    this.#awareness.setLocalState(state)
    applyAwarenessUpdate(this.#scene.awareness, encodeAwarenessUpdate(this.#awareness, [this.clientId]), 'delivery')
  }

  leave(): void {
    removeAwarenessStates(this.#scene.awareness, [this.clientId], 'delivery')
  }
}

/** Resolves when the browser has painted the next frame. */
export function painted(): Promise<void> {
  return new Promise((resolve) => {
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel()
      port1.onmessage = () => resolve()
      port2.postMessage(null)
    })
  })
}

/** The scene of the page's test. */
export let scene: OverlayScene

/** The page's first element that a selector finds. */
export function part(selector: string): HTMLElement {
  const element = document.querySelector<HTMLElement>(selector)
  if (element === null) throw new Error(`the page has no ${selector}`)
  return element
}

/** Begins with the page's first text control. */
export function begin(text: string): OverlayScene {
  const element = document.querySelector<TextElement>('textarea, input')
  if (element === null) throw new Error('the page has no text control')
  return beginWith(element, text)
}

export function beginWith(element: TextElement, text: string): OverlayScene {
  scene = new OverlayScene(element, text)
  return scene
}

/** Deletes a text in which there is a cursor, and answers how many are drawn then. */
export async function deletedText(): Promise<number> {
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  const text = new Y.Text('nested')
  doc.getMap('texts').set('one', text)
  const element = document.createElement('textarea')
  document.body.append(element)
  showPeers(bindTextarea(element, text, { awareness }), awareness)
  const head = Y.createRelativePositionFromTypeIndex(text, 2)
  const theirs = new Awareness(new Y.Doc())
  theirs.setLocalState({ cursor: { anchor: head, head } })
  applyAwarenessUpdate(awareness, encodeAwarenessUpdate(theirs, [theirs.clientID]), 'delivery')
  doc.getMap('texts').delete('one')
  await painted()
  return element.nextElementSibling?.shadowRoot?.querySelectorAll('.caret').length ?? -1
}

declare global {
  /** What the page has of this module. */
  var overlays: typeof import('./overlay.ts')
}
