import { find } from './find.ts'
import { documentPath } from './location.ts'

/** Shows, in the place of an editor, that there is nothing at this address, and offers to create a document called so. */
export function showLost(candidate: string): void {
  document.title = 'Nothing here – coedit'
  document.body.dataset.page = 'lost'
  find(document, '#lost', HTMLElement).hidden = false
  find(document, '#lost-address', HTMLElement).textContent = candidate || location.pathname
  find(document, '#lost-hint', HTMLElement).hidden = candidate === ''
  const create = find(document, '#create', HTMLAnchorElement)
  create.hidden = candidate === ''
  create.href = documentPath(candidate)
  create.textContent = `Create “${candidate}”`
}
