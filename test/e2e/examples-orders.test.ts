import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { openPage, setDemo } from '../support/demo.ts'
import { startMortalServer } from '../support/mortal-server.ts'
import { freePorts } from '../support/ports.ts'

const demo = setDemo()
const release = onTestFinished
const ORDERS = 200
const APPLES = 100
const ASK_EVERY_MS = 50

/** One of the programs, which can be killed and started anew. */
function program(name: string, ...args: readonly string[]) {
  const path = fileURLToPath(new URL(`../../client/demo/examples/${name}.mjs`, import.meta.url))
  let child: ChildProcess | undefined
  const kill = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  release(kill)
  return {
    kill,
    start: () => {
      child = spawn(process.execPath, [path, ...args], { stdio: 'ignore' })
    },
  }
}

/** Orders an apple, until that is answered. */
async function order(port: number, id: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/?item=apple`, {
      method: 'POST',
      headers: { 'idempotency-key': id },
      signal: AbortSignal.timeout(20_000),
    }).catch(() => undefined)
    if (answer?.status === 201) return
    await pause(ASK_EVERY_MS)
  }
}

test('orders and stock: each order is served once and the stock is never below 0, whatever is killed', async () => {
  const server = await startMortalServer(release, ['--webhook-addresses', '127.0.0.1'])
  const [ordersPort, stockPort] = await freePorts(2)
  const orders = program('orders', server.url, `${ordersPort}`)
  const stock = program('stock', server.url, `${stockPort}`)
  orders.start()
  stock.start()
  const page = await openPage(demo.browser, `${server.url}orders.html`, release)
  await page
    .locator('#stock')
    .getByRole('row', { name: `apple ${APPLES}` })
    .waitFor()

  const placed = Array.from({ length: ORDERS }, (_, index) => order(ordersPort, `order-${index}`))
  await Promise.race(placed)
  await stock.kill()
  await orders.kill()
  orders.start()
  await server.kill()
  stock.start()
  await server.restart()
  await Promise.all(placed)
  await stock.kill()
  stock.start()

  await page.getByLabel('What you order').fill('pear')
  await page.getByRole('button', { name: 'Order one' }).click()
  await page.locator('#stock').getByRole('row', { name: 'pear 59' }).waitFor()
  await page
    .locator('#orders')
    .getByRole('row', { name: `sold out ${ORDERS - APPLES}` })
    .waitFor()
  await page
    .locator('#orders')
    .getByRole('row', { name: `sent ${APPLES + 1}` })
    .waitFor()
  const content = await (await fetch(`${server.url}api/documents/stock/content`)).json()
  expect(content.stock).toEqual({ apple: 0, pear: 59 })
  expect(Object.keys(content.sent)).toHaveLength(APPLES + 1)
})
