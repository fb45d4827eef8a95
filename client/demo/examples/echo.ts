import { connect } from '@coedit/client'
import { find } from '../find.ts'
import { patch } from './patch.mjs'

const root = new URL('.', document.baseURI).href
const form = find(document, 'form', HTMLFormElement)
const input = find(form, 'input', HTMLInputElement)
const saidAt = new Map<string, number>()

const { doc } = connect({ url: root, document: 'echo', access: 'read' })
const lines = doc.getMap('echo')
lines.observeDeep(() => {
  for (const [id, { echo }] of Object.entries<{ echo: string | null }>(lines.toJSON())) {
    const since = saidAt.get(id)
    if (echo === null || since === undefined) continue
    saidAt.delete(id)
    const text = `${echo} · ${Math.round(performance.now() - since)} ms`
    find(document, '#said', HTMLElement).append(Object.assign(document.createElement('li'), { textContent: text }))
  }
})

form.addEventListener('submit', (event) => {
  event.preventDefault()
  const id = crypto.randomUUID()
  saidAt.set(id, performance.now())
  void patch(root, 'echo', [{ op: 'add', path: `/${id}`, value: { text: input.value, echo: null } }])
  input.value = ''
})
