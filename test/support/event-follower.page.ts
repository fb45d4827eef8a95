/// <reference lib="dom" />
import * as Y from 'yjs'

/**
 * Runs in a browser: follows the event stream that the hash of the page's URL names, and shows on the root element what
 * it has seen.
 */
const doc = new Y.Doc()
let opened = 0
let repeated = 0

function show(): void {
  Object.assign(document.documentElement.dataset, {
    text: doc.getText('text').toString(),
    opened: String(opened),
    repeated: String(repeated),
  })
}

const source = new EventSource(location.hash.slice(1))
source.onopen = () => {
  opened++
  show()
}
source.onmessage = ({ data }: MessageEvent<string>) => {
  const update = Uint8Array.from(atob(data), (character) => character.charCodeAt(0))
  for (const { id } of Y.decodeUpdate(update).structs) {
    if (id.clock < Y.getState(doc.store, id.client)) repeated++
  }
  Y.applyUpdate(doc, update)
  show()
}
