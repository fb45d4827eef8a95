/* Takes orders: node client/demo/examples/orders.mjs [http://localhost:1234/] [4000], then curl -X POST 'localhost:4000/?item=apple' */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { patch } from './patch.mjs'

const [, , server = 'http://localhost:1234/', port = '4000'] = process.argv

const service = createServer(async (request, response) => {
  const { searchParams } = new URL(request.url, 'http://localhost')
  const id = request.headers['idempotency-key'] ?? randomUUID()
  const order = { item: searchParams.get('item'), quantity: Number(searchParams.get('quantity') ?? 1), state: 'open' }
  if (!order.item || !(order.quantity > 0) || !/^[\w-]+$/.test(id)) {
    response
      .writeHead(400)
      .end('expected ?item=apple&quantity=1, and an Idempotency-Key of letters and digits if any\n')
    return
  }
  try {
    // Whoever got no answer asks again under the same id, and has ordered once.
    await patch(server, 'orders', { [id]: order }, id)
    response.writeHead(201).end(`${id}\n`)
  } catch (error) {
    response.writeHead(503).end(`${error}\n`)
  }
})
service.listen(Number(port), '127.0.0.1', () => console.log(`orders are taken at http://127.0.0.1:${port}/`))
