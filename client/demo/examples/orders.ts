import { find } from '../find.ts'
import { patch } from './patch.mjs'

const root = new URL('.', document.baseURI).href
const form = find(document, 'form', HTMLFormElement)

/** Fills a table with what an object in a document is made of, whenever that changes. */
function watch(name: string, show: (value: Record<string, unknown>) => Record<string, unknown>): void {
  let value: Record<string, unknown> = {}
  const fill = () => {
    const rows = Object.entries(show(value)).map(([key, shown]) => {
      const row = document.createElement('tr')
      row.append(...[key, shown].map((text) => Object.assign(document.createElement('td'), { textContent: `${text}` })))
      return row
    })
    find(document, `#${name}`, HTMLElement).replaceChildren(...rows)
  }
  const events = new EventSource(new URL(`api/documents/${name}/events?as=json&root=${name}`, root))
  events.addEventListener('reset', ({ data }) => {
    value = JSON.parse(data) ?? {}
    fill()
  })
  events.addEventListener('message', ({ data }) => {
    for (const { path, value: changed } of JSON.parse(data)) {
      const [, key = '', field] = path.split('/')
      if (path === '') value = changed
      else value[key] = field === undefined ? changed : { ...Object(value[key]), [field]: changed }
    }
    fill()
  })
}

watch('stock', (stock) => stock)
watch('orders', (orders) => {
  const states: Record<string, number> = {}
  for (const order of Object.values(orders)) states[Object(order).state] = (states[Object(order).state] ?? 0) + 1
  return states
})

form.addEventListener('submit', (event) => {
  event.preventDefault()
  const item = `${new FormData(form).get('item')}`
  const id = crypto.randomUUID()
  patch(root, 'orders', { [id]: { item, quantity: 1, state: 'open' } }, id).catch((error: unknown) => {
    find(document, '#failure', HTMLElement).textContent = `It was not ordered: ${error}`
  })
})
