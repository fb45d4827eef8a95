import * as Y from 'yjs'
import { ClientError } from '../common/errors.ts'
import type { Selection } from './selection.ts'
import type { TextElement } from './shown-text.ts'

/** `<textarea>`, and the `<input>` types whose value is what people type. */
const TEXT_TYPES = /^(text(area)?|search|url|tel|password|email)$/

/**
 * Throws ELEMENT_UNSUITABLE. It asks for the type only: an element of an iframe shares no constructor. Pages look for
 * elements before they are there, and then pass null.
 */
export function assertTextElement(element: Element | null | undefined): asserts element is TextElement {
  const type = element && 'type' in element ? String(element.type) : ''
  if (TEXT_TYPES.test(type)) return
  const found = element ? `<${element.localName}> of the type "${type}"` : `${element}, found where no element was,`
  throw new ClientError('ELEMENT_UNSUITABLE', `${found} cannot be bound`)
}

/** Throws TEXT_UNSUITABLE. A text of another copy of Yjs looks alike, and fails later in ways that tell nothing. */
export function assertSharedText(text: Y.Text | null | undefined): void {
  if (text instanceof Y.Text && text.doc !== null) return
  throw new ClientError('TEXT_UNSUITABLE', 'this is no Y.Text in a document, or is one of another copy of yjs')
}

/** Whether people can edit it now: it is neither read-only nor disabled, be it by a fieldset. */
export function isEditable(element: TextElement): boolean {
  return element.matches(':read-write')
}

/**
 * What this element will show of a shared text: its API value has `\n` for every line end, or none in an input (HTML
 * Standard, "value sanitization algorithm"). Some types drop more, which only the element itself knows.
 */
export function renderText(element: TextElement, shared: string): string {
  return shared.replace(/\r\n?|\n/g, element.localName === 'input' ? '' : '\n')
}

/**
 * Writes by the setter that the element inherits: React puts one of its own on the element, by which it would take the
 * new value for one that it knows, and tell no controlled parent.
 */
export function writeValue(element: TextElement, value: string): void {
  Reflect.set(Object.getPrototypeOf(element), 'value', value, element)
}

/** The selection, or null for types that hide theirs (email). */
export function readSelection({ selectionStart, selectionEnd, selectionDirection }: TextElement): Selection | null {
  if (selectionStart === null || selectionEnd === null) return null
  return selectionDirection === 'backward'
    ? { anchor: selectionEnd, head: selectionStart }
    : { anchor: selectionStart, head: selectionEnd }
}

/**
 * Whether the selection may be written now. Safari gives the focus to an element whose selection is set, and on a phone
 * the keyboard with it. Browsers say which they are as the HTML Standard has it ("navigator.vendor").
 */
export function isSelectable(element: TextElement): boolean {
  return hasFocus(element) || !vendorOf(element).startsWith('Apple')
}

export function hasFocus(element: TextElement): boolean {
  const root = element.getRootNode()
  return 'activeElement' in root && root.activeElement === element
}

/** Writes the selection. Returns whether the browser will scroll there, before the next frame. */
export function writeSelection(element: TextElement, { anchor, head }: Selection): boolean {
  const [start, end] = [Math.min(anchor, head), Math.max(anchor, head)]
  const scrolls = vendorOf(element) === ''
  if (head < anchor) element.setSelectionRange(start, end, 'backward')
  // Firefox does not scroll to what this selects, but there is no direction to it.
  else if (scrolls) element.setRangeText(element.value.slice(start, end), start, end, 'select')
  else element.setSelectionRange(start, end, 'forward')
  return scrolls && head < anchor
}

function vendorOf(element: TextElement): string {
  return element.ownerDocument.defaultView?.navigator.vendor ?? ''
}
