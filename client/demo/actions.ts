import { find } from './find.ts'
import { readOnlyLink } from './location.ts'
import { isOwn } from './own.ts'
import type { Panes } from './panes.ts'
import type { Title } from './title.ts'

const MEGABYTE = 1_000_000
/** How long a button says what it did. */
const ANSWER_MS = 2_000

/** Wires what can be done with a document beside editing it. */
export function offerActions(panes: Panes, name: string, title: Title): void {
  const { connection } = panes.first
  find(document, '#second-tab', HTMLAnchorElement).href = location.href
  find(document, '#read', HTMLAnchorElement).href = readOnlyLink(location.href)
  find(document, '#to-code', HTMLButtonElement).addEventListener('click', showCode)
  onPressCopy('#copy', location.href)
  onPressCopy('#copy-read', readOnlyLink(location.href))
  onPress('#fill', () => append(panes))
  void isOwn(name, connection).then((own) => {
    find(document, '#fill', HTMLButtonElement).hidden = !own
  })
  onPress('#download', () => download(`${title.words}.txt`, connection.text.toString()))
  onPress('#cursors', (button) => {
    panes.cursorsHidden = !panes.cursorsHidden
    button.textContent = panes.cursorsHidden ? 'Show cursors' : 'Hide cursors'
  })
}

function showCode(): void {
  const code = find(document, '#code-behind', HTMLDetailsElement)
  code.open = true
  code.scrollIntoView()
  find(code, 'summary', HTMLElement).focus()
}

function onPress(selector: string, act: (button: HTMLButtonElement) => unknown): void {
  const button = find(document, selector, HTMLButtonElement)
  button.addEventListener('click', () => act(button))
}

function onPressCopy(selector: string, link: string): void {
  const label = find(document, selector, HTMLButtonElement).textContent
  let answered: ReturnType<typeof setTimeout> | undefined
  onPress(selector, async (button) => {
    if (!(await copy(link))) return
    button.textContent = 'Copied'
    clearTimeout(answered)
    answered = setTimeout(() => {
      button.textContent = label
    }, ANSWER_MS)
  })
}

async function copy(link: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(link)
    return true
  } catch {
    // No clipboard: the page is not served over HTTPS, or permission was denied.
    prompt('Copy this link:', link)
    return false
  }
}

/** Through the textarea, as other code of a page would write to it: the binding makes it one edit that undo takes back. */
async function append({ first: { textarea, binding } }: Panes): Promise<void> {
  const { largeText } = await import('./large-text.ts')
  binding.undoManager.stopCapturing()
  const end = textarea.value.length
  textarea.setRangeText(largeText(MEGABYTE), end, end, 'preserve')
  textarea.dispatchEvent(new InputEvent('input', { bubbles: true }))
}

function download(file: string, text: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
  link.download = file
  link.click()
  URL.revokeObjectURL(link.href)
}
