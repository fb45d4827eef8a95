/* Takes out of the stock what is ordered: node client/demo/examples/stock.mjs [http://localhost:1234/] [4001] */
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { patch } from './patch.mjs'

const [, , server = 'http://localhost:1234/', port = '4001'] = process.argv
const url = `http://127.0.0.1:${port}/`
let secret = ''
let serving = Promise.resolve()

/** Asks the server, in JSON; a document that is there already, or not yet, is no failure. */
async function api(method, path, body) {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(new URL(`api/${path}`, server), {
    method,
    ...(body && { headers, body: JSON.stringify(body) }),
  })
  if (!answer.ok && ![404, 409].includes(answer.status)) throw new Error(`${answer.status}: ${await answer.text()}`)
  return answer.ok ? JSON.parse((await answer.text()) || 'null') : undefined
}

async function serve(id, { item, quantity }) {
  for (;;) {
    const { stock = {}, taken = {} } = await api('GET', 'documents/stock/content')
    const left = stock[item] ?? 0
    if (id in taken || left < quantity)
      return patch(server, 'orders', { [id]: { state: id in taken ? 'sent' : 'sold out' } })
    // One transaction, which fails where somebody was faster, and is done once however often its answer is lost.
    const once = [
      { op: 'test', path: `/${item}`, value: left },
      { op: 'replace', path: `/${item}`, value: left - quantity },
      { op: 'add', root: 'taken', path: `/${id}`, value: quantity },
    ]
    await patch(server, 'stock', once, id)
  }
}

async function serveAll() {
  const orders = Object.entries((await api('GET', 'documents/orders/content?root=orders')) ?? {})
  for (const [id, order] of orders) if (order.state === 'open') await serve(id, order)
}

/** Makes a webhook in the place of the last one, whose secret is gone; what that was not told of is in the document. */
async function begin() {
  await api('PUT', 'documents/stock', { stock: { apple: 100, pear: 60 }, taken: {} })
  const { webhooks } = await api('GET', 'webhooks')
  for (const webhook of webhooks) if (webhook.url === url) await api('DELETE', `webhooks/${webhook.id}`)
  secret = (await api('POST', 'webhooks', { url, prefixes: ['orders'], quietMs: 50 })).secret
  await serveAll()
}

const service = createServer(async (request, response) => {
  try {
    new Webhook(secret).verify(await text(request), request.headers)
    serving = serving.then(serveAll, serveAll)
    await serving
    response.writeHead(204).end()
  } catch (error) {
    response.writeHead(500).end(`${error}`)
  }
})
service.listen(Number(port), '127.0.0.1')
while (!(await begin().then(() => true, console.error))) await sleep(500)
console.log(`orders are served: ${new URL('orders.html', server)}`)
