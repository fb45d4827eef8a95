/* Takes out of the stock what is ordered: node client/demo/examples/stock.mjs [http://localhost:1234/] [4001] */
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { ask, patch } from './patch.mjs'

const [, , server = 'http://localhost:1234/', port = '4001'] = process.argv
const url = `http://127.0.0.1:${port}/`
let secret = ''
let serving = Promise.resolve()

/** Serves what is ordered, until nothing is open. */
async function serve() {
  const orders = Object.entries((await ask(server, 'GET', 'documents/orders/content?root=orders')) ?? {})
  const open = orders.filter(([, { state }]) => state === 'open')
  if (open.length === 0) return
  const { stock, sent: sentBefore = {}, served } = await ask(server, 'GET', 'documents/stock/content')
  const left = { ...stock }
  const sent = new Map(Object.entries(sentBefore))
  const taken = open.filter(([id, { item, quantity }]) => {
    if (sent.has(id) || !(left[item] >= quantity)) return false
    left[item] -= quantity
    return sent.set(id, quantity)
  })
  // One transaction, which fails where another one of these programs was faster, or somebody has put something into the stock.
  const isDone = await patch(server, 'stock', [
    ...Object.keys(stock).map((item) => ({ op: 'test', path: `/${item}`, value: stock[item] })),
    ...Object.keys(stock).map((item) => ({ op: 'replace', path: `/${item}`, value: left[item] })),
    { op: 'test', root: 'served', path: '/count', value: served.count },
    { op: 'replace', root: 'served', path: '/count', value: served.count + 1 },
    ...taken.map(([id, { quantity }]) => ({ op: 'add', root: 'sent', path: `/${id}`, value: quantity })),
  ])
  const states = open.map(([id]) => [id, { state: sent.has(id) ? 'sent' : 'sold out' }])
  if (isDone) await patch(server, 'orders', Object.fromEntries(states))
  await serve()
}

/** Makes a webhook in the place of the last one, whose secret is gone; what that was not told of is in the document. */
async function begin() {
  await ask(server, 'PUT', 'documents/stock', { stock: { apple: 100, pear: 60 }, served: { count: 0 } })
  const { webhooks } = await ask(server, 'GET', 'webhooks')
  for (const webhook of webhooks) if (webhook.url === url) await ask(server, 'DELETE', `webhooks/${webhook.id}`)
  secret = (await ask(server, 'POST', 'webhooks', { url, prefixes: ['orders'], quietMs: 50 })).secret
  await serve()
}

const service = createServer(async (request, response) => {
  try {
    new Webhook(secret).verify(await text(request), request.headers)
    serving = serving.then(serve, serve)
    await serving
    response.writeHead(204).end()
  } catch (error) {
    response.writeHead(500).end(`${error}`)
  }
})
service.listen(Number(port), '127.0.0.1')
while (!(await begin().then(() => true, console.error))) await sleep(500)
console.log(`orders are served: ${new URL('orders.html', server)}`)
