import { find } from './find.ts'
import type { Pane } from './pane.ts'

const WORDS =
  'Boo! I am only a ghost: nothing of this is kept.\n' +
  'Type in the other editor, and your words take my place – ' +
  'here at once, and on the server’s disk before that.'
/** All of it in less than 5 s: what moves for longer must have a way to stop it (WCAG 2.2, 2.2.2). */
const TYPING_MS = 4_500
/** What is pressed on the way to a key. */
const NO_KEYS = ['Shift', 'Control', 'Alt', 'Meta', 'AltGraph', 'Tab', 'CapsLock']

/**
 * Lets a ghost type into an empty pane, to show what would happen there, until the first key or edit in any of the
 * panes. Nothing of it gets into the document. Returns what ends it.
 *
 * @param onGone called once, when the ghost is gone
 */
export function haunt(pane: Pane, others: readonly Pane[], onGone: () => void): () => void {
  const { text } = pane.connection
  const typed = document.createElement('span')
  const ghost = makeGhost(typed)
  let frame = 0
  const textareas = [pane, ...others].map(({ textarea }) => textarea)
  const onKey = ({ key }: KeyboardEvent) => {
    if (!NO_KEYS.includes(key)) end()
  }
  const end = () => {
    cancelAnimationFrame(frame)
    text.unobserve(end)
    for (const textarea of textareas) textarea.removeEventListener('keydown', onKey)
    if (!ghost.isConnected) return
    ghost.remove()
    onGone()
  }
  const begun = performance.now()
  const duration = matchMedia('(prefers-reduced-motion: reduce)').matches ? 0 : TYPING_MS
  const type = () => {
    const elapsed = performance.now() - begun
    const length = elapsed < duration ? Math.floor((WORDS.length * elapsed) / duration) : WORDS.length
    if (typed.textContent?.length !== length) typed.textContent = WORDS.slice(0, length)
    if (length < WORDS.length) frame = requestAnimationFrame(type)
  }
  for (const textarea of textareas) textarea.addEventListener('keydown', onKey)
  text.observe(end)
  find(pane.element, '.sheet', HTMLElement).append(ghost)
  type()
  return end
}

/** For the eyes only: the pane's placeholder tells the same to those who listen. */
function makeGhost(typed: HTMLElement): HTMLElement {
  const ghost = document.createElement('div')
  ghost.className = 'ghost'
  ghost.setAttribute('aria-hidden', 'true')
  const caret = document.createElement('span')
  caret.className = 'ghost-caret'
  const label = document.createElement('span')
  label.className = 'ghost-label'
  label.textContent = 'Ghost · demo'
  ghost.append(typed, caret, label)
  return ghost
}
