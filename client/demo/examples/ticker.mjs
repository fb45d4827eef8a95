/* Prices that go up and down, ten changes a second: node client/demo/examples/ticker.mjs [http://localhost:1234/] */
import { setTimeout as sleep } from 'node:timers/promises'
import { patch } from './patch.mjs'

const server = process.argv[2] ?? 'http://localhost:1234/'
const prices = { ACME: 100, Globex: 42.5, Initech: 7.25, Umbrella: 311 }

await patch(server, 'ticker', prices)
console.log(`prices are at ${new URL('ticker.html', server)}`)
while (true) {
  const names = Object.keys(prices)
  const name = names[Math.floor(Math.random() * names.length)]
  prices[name] = Math.max(1, Math.round(prices[name] * (0.99 + Math.random() / 50) * 100) / 100)
  await patch(server, 'ticker', { [name]: prices[name] })
  await sleep(100)
}
