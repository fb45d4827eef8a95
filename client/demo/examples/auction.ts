import { find } from '../find.ts'
import { patch } from './patch.mjs'

interface Auction {
  highest: number
  bidder: string
  bids: number
  closesAt: number
  isOpen: boolean
}

const root = new URL('.', document.baseURI).href
const form = find(document, 'form', HTMLFormElement)
const state = find(document, '#state', HTMLElement)
/** Empty until there is one. */
let auction: Partial<Auction> = {}

function show(): void {
  const { highest = '–', bidder = '', bids, closesAt = 0, isOpen = false } = auction
  find(form, 'button', HTMLButtonElement).disabled = !isOpen
  find(document, '#highest', HTMLOutputElement).value = `${highest}`
  find(document, '#bidder', HTMLElement).textContent = bidder === '' ? '' : `by ${bidder}`
  if (bids === undefined) return
  state.textContent = isOpen
    ? `${bids} bids, open until ${new Date(closesAt).toLocaleTimeString()}`
    : `Closed after ${bids} bids`
}

/** Tries again above the newer bid where somebody was faster. */
async function bid(bidder: string): Promise<void> {
  for (let isDone = false; !isDone && auction.isOpen; ) {
    const { highest = 0, bids = 0 } = auction
    isDone = await patch(root, 'auction', [
      { op: 'test', path: '/isOpen', value: true },
      { op: 'test', path: '/bids', value: bids },
      { op: 'replace', path: '/bids', value: bids + 1 },
      { op: 'replace', path: '/highest', value: highest + 10 },
      { op: 'replace', path: '/bidder', value: bidder },
    ])
    if (!isDone) auction = await (await fetch(new URL('api/documents/auction/content?root=auction', root))).json()
  }
}

const events = new EventSource(new URL('api/documents/auction/events?as=json&root=auction', root))
events.addEventListener('reset', ({ data }) => {
  auction = JSON.parse(data) ?? {}
  show()
})
events.addEventListener('message', ({ data }) => {
  for (const { path, value } of JSON.parse(data)) {
    auction = path === '' ? value : { ...auction, [path.slice(1)]: value }
  }
  show()
})
form.addEventListener('submit', (event) => {
  event.preventDefault()
  bid(`${new FormData(form).get('name')}`).catch((error: unknown) => {
    state.textContent = `The bid was not taken: ${error}`
  })
})
