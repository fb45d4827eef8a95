import { connect } from '@coedit/client'
import { useConnection } from '@coedit/client/react'
import { createElement, useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { find } from '../find.ts'

const url = new URL('.', document.baseURI).href
type Prices = Record<string, number>

function show(table: HTMLElement, prices: Prices): void {
  const rows = Object.entries(prices).map(([name, price]) => {
    const row = document.createElement('tr')
    row.append(
      ...[name, price.toFixed(2)].map((text) => Object.assign(document.createElement('td'), { textContent: text })),
    )
    return row
  })
  table.replaceChildren(...rows)
}

function watchByEvents(table: HTMLElement): void {
  let prices: Prices = {}
  const events = new EventSource(new URL('api/documents/ticker/events?as=json&root=ticker', url))
  events.addEventListener('reset', ({ data }) => {
    prices = JSON.parse(data) ?? {}
    show(table, prices)
  })
  events.addEventListener('message', ({ data }) => {
    for (const { path, value } of JSON.parse(data)) {
      if (path === '') prices = value
      else prices[path.slice(1)] = value
    }
    show(table, prices)
  })
}

function watchBySocket(table: HTMLElement): void {
  const { doc } = connect({ url, document: 'ticker', access: 'read' })
  const prices = doc.getMap<number>('ticker')
  prices.observe(() => show(table, prices.toJSON()))
}

function Ticker() {
  const connection = useConnection({ url, document: 'ticker', access: 'read' })
  const [prices, setPrices] = useState<Prices>({})
  useEffect(() => {
    const map = connection?.doc.getMap<number>('ticker')
    const read = () => setPrices(map?.toJSON() ?? {})
    map?.observe(read)
    return () => map?.unobserve(read)
  }, [connection])
  const rows = Object.entries(prices).map(([name, price]) =>
    createElement('tr', { key: name }, createElement('td', null, name), createElement('td', null, price.toFixed(2))),
  )
  return createElement('table', null, createElement('tbody', null, rows))
}

watchByEvents(find(document, '#events', HTMLElement))
watchBySocket(find(document, '#socket', HTMLElement))
createRoot(find(document, '#react', HTMLElement)).render(createElement(Ticker))
