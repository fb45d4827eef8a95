import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { openPage, setDemo } from '../support/demo.ts'
import { documentsApi } from '../support/documents-api.ts'

const demo = setDemo()
const release = onTestFinished

const open = (name: string) => openPage(demo.browser, `${demo.url}${name}.html`, release)

/** Runs one of the programs until the test ends. Resolves with its output, line by line, once it has said the first. */
async function program(name: string, ...args: readonly string[]) {
  const path = fileURLToPath(new URL(`../../client/demo/examples/${name}.mjs`, import.meta.url))
  const child = spawn(process.execPath, [path, demo.url, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  release(async () => {
    child.kill()
    await exited
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  await lines.next()
  return { lines, child }
}

test('are opened from the start page', async () => {
  const page = await openPage(demo.browser, demo.place(), release)
  await page.getByRole('link', { name: 'Examples' }).click()
  const links = page.locator('.examples a')
  expect(await links.count()).toBe(5)
  for (let index = 0; index < 5; index++) {
    const name = await links.nth(index).innerText()
    await links.nth(index).click()
    await page.getByRole('heading', { name, level: 1 }).waitFor()
    await page.goBack()
  }
})

test('echo: a program answers what a page says', async () => {
  const page = await open('echo')
  await program('echo')
  await page.getByLabel('What you say').fill('hello')
  await page.getByRole('button', { name: 'Say' }).click()
  await page.getByText(/^hello · \d+ ms$/).waitFor()
})

test('ticker: three ways to watch show the same price, written without Yjs', async () => {
  const page = await open('ticker')
  await program('ticker')
  await page.locator('#events tr').nth(3).waitFor()
  expect(await documentsApi(demo.url).patch('ticker', { Hooli: 12.5 }, '?root=ticker')).toMatchObject({ status: 204 })
  for (const way of ['#events', '#socket', '#react']) {
    await page.locator(way).getByRole('row', { name: 'Hooli 12.50' }).waitFor()
  }
})

test('auction: no bid is lost or counted twice, and none comes in behind the end', async () => {
  const [ada, bob] = await Promise.all([open('auction'), open('auction')])
  const { lines, child } = await program('auction', '3600')
  for (const [page, name] of [
    [ada, 'Ada'],
    [bob, 'Bob'],
  ] as const) {
    await page.getByLabel('Your name').fill(name)
    await page.getByText('0 bids, open').waitFor()
  }
  const bid = (page: typeof ada) => page.getByRole('button', { name: 'Bid' }).click()
  await Promise.all([bid(ada), bid(bob)])
  await Promise.all([bid(ada), bid(bob)])
  for (const page of [ada, bob]) await page.getByText('4 bids').waitFor()
  expect(await ada.locator('#highest').innerText()).toBe('140')
  child.kill('SIGINT')
  expect((await lines.next()).value).toMatch(/^sold to (Ada|Bob) for 140 after 4 bids$/)
  for (const page of [ada, bob]) {
    await page.getByText('Closed after 4 bids').waitFor()
    expect(await page.getByRole('button', { name: 'Bid' }).isDisabled()).toBe(true)
  }
  const late = [
    { op: 'test', path: '/isOpen', value: true },
    { op: 'replace', path: '/bids', value: 5 },
  ]
  expect(await documentsApi(demo.url).patch('auction', late, '?root=auction')).toMatchObject({ status: 409 })
})

test('chat: messages and people are seen by all, and what was not read is counted', async () => {
  const [ada, bob] = await Promise.all([open('chat'), open('chat')])
  await ada.getByLabel('Your name').fill('Ada')
  await ada.getByLabel('Message').fill('Hello, Bob')
  await ada.getByRole('button', { name: 'Send' }).click()
  await bob.getByText('Ada: Hello, Bob').waitFor()
  await bob.getByRole('listitem').filter({ hasText: /^Ada$/ }).waitFor()
})
