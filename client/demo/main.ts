import { bindTextarea, connect } from '@coedit/client'
import { documentName } from './location.ts'
import { describe } from './wording.ts'

const name = find('#name', HTMLHeadingElement)
const textarea = find('#text', HTMLTextAreaElement)
const stateLine = find('#state', HTMLParagraphElement)
const secondTab = find('#second', HTMLAnchorElement)
const copyLink = find('#copy', HTMLButtonElement)

// The server says by <base> where it is mounted.
const root = document.baseURI
const documentId = documentName(root, location.href)
const connection = connect({ url: root, document: documentId })
bindTextarea(textarea, connection.text)
textarea.focus()

name.textContent = documentId
document.title = `${documentId} – coedit`
secondTab.href = location.href
copyLink.addEventListener('click', () => void copyAddress())
connection.subscribe(showState)
showState()

function showState(): void {
  const { words, kind } = describe(connection.state)
  // Read aloud when the connection changes, not after every key.
  stateLine.ariaLive = connection.state.connection === 'online' ? 'off' : 'polite'
  stateLine.textContent = words
  stateLine.dataset.state = kind
}

async function copyAddress(): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href)
    copyLink.textContent = 'Copied'
  } catch {
    // No clipboard: the page is not served over HTTPS, or permission was denied.
    copyLink.textContent = 'Copy it from the address bar'
  }
}

function find<E extends Element>(selector: string, type: new () => E): E {
  const element = document.querySelector(selector)
  if (element instanceof type) return element
  throw new Error(`the page has no ${type.name} ${selector}`)
}
