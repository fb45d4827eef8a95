import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { bundlePage } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { openPage, textIs } from '../support/demo.ts'
import { startServer } from '../support/process.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CLIENT = `${ROOT}/client`
const SERVER_IN_README = 'ws://localhost:1234'

let browser: Browser

beforeAll(async () => {
  browser = await launchChromium()
})

afterAll(() => browser.close())

/** The page that a README shows. */
async function pageIn(readme: string): Promise<string> {
  const [, page] = /```html\n(.*?)```/s.exec(await readFile(`${ROOT}/${readme}`, 'utf8')) ?? []
  if (page === undefined) throw new Error(`${readme} shows no page`)
  return page
}

/** Serves a page as an application that has installed the client would. Resolves with its address. */
async function serve(html: string): Promise<string> {
  const files = await bundlePage(html, CLIENT)
  const server = createServer(({ url = '/' }, response) => {
    const name = url === '/' ? 'index.html' : url.slice(1)
    const type = name.endsWith('.js') ? 'text/javascript' : 'text/html'
    response.setHeader('content-type', `${type}; charset=utf-8`).end(files.get(name))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  return `http://127.0.0.1:${address.port}/`
}

const CLAIM = 'the page in %s is at most ten lines of code, shares its text and says when it is saved'

test.each(['README.md', 'client/README.md'])(CLAIM, async (readme) => {
  const page = await pageIn(readme)
  const script = page.slice(page.indexOf('<script'), page.indexOf('</script>'))
  expect(script.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(10)
  expect(page).toContain(SERVER_IN_README)

  const server = await startServer({ release: onTestFinished })
  const url = await serve(page.replace(SERVER_IN_README, server.url))
  const ann = await openPage(browser, url, onTestFinished)
  const ben = await openPage(browser, url, onTestFinished)
  await ann.locator('textarea').fill('hello')
  await textIs(ben, 'hello')
  await ann.waitForFunction(() => document.title === 'Saved')
})
