import { connect, watchPresence } from '@coedit/client'
import { find } from '../find.ts'

interface Message {
  name: string
  text: string
}

const connection = connect({ url: new URL('.', document.baseURI).href, document: 'chat' })
const messages = connection.doc.getArray<Message>('messages')
const form = find(document, 'form', HTMLFormElement)
const name = find(form, '[name="name"]', HTMLInputElement)
const text = find(form, '[name="text"]', HTMLInputElement)
let read = 0

function item(content: string): HTMLLIElement {
  return Object.assign(document.createElement('li'), { textContent: content })
}

/** What came while the page was hidden counts as unread, in the title. */
function show(): void {
  const items = messages.map(({ name, text }) => item(`${name}: ${text}`))
  find(document, '#messages', HTMLElement).replaceChildren(...items)
  if (!document.hidden) read = messages.length
  const unread = messages.length - read
  document.title = unread > 0 ? `(${unread}) Chat – coedit` : 'Chat – coedit'
}

messages.observe(show)
document.addEventListener('visibilitychange', show)
const presence = watchPresence(connection.awareness)
presence.subscribe(() => {
  const people = presence.peers.map((peer) => item(peer.name))
  find(document, '#people', HTMLElement).replaceChildren(...people)
})
name.addEventListener('change', () => connection.setUser({ name: name.value }))
form.addEventListener('submit', (event) => {
  event.preventDefault()
  messages.push([{ name: name.value, text: text.value }])
  text.value = ''
})
