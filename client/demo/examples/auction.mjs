/* Sells something within so many seconds, or until Ctrl+C: node client/demo/examples/auction.mjs [http://localhost:1234/] [60] */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { patch } from './patch.mjs'

const [, , server = 'http://localhost:1234/', seconds = '60'] = process.argv
const closesAt = Date.now() + Number(seconds) * 1000

await patch(server, 'auction', { highest: 100, bidder: '', bids: 0, closesAt, isOpen: true })
console.log(`bids are taken at ${new URL('auction.html', server)}`)
await Promise.race([sleep(closesAt - Date.now()), once(process, 'SIGINT')])
// Whoever bids tests this, so no bid comes in behind it.
await patch(server, 'auction', { isOpen: false })
const { highest, bidder, bids } = await (
  await fetch(new URL('api/documents/auction/content?root=auction', server))
).json()
console.log(bids === 0 ? 'nobody has bid' : `sold to ${bidder} for ${highest} after ${bids} bids`)
process.exit()
