import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterTests } from '../support/after-tests.ts'
import { bundleScript } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { openPage, textIs } from '../support/demo.ts'
import { startServer } from '../support/process.ts'
import type { Kind } from './pages/y-websocket.ts'

const PAGE = fileURLToPath(new URL('pages/y-websocket.ts', import.meta.url))
const KINDS: readonly Kind[] = ['textarea', 'React', 'element']

const releaseAll = afterTests()
let browser: Browser
let server: { readonly url: string }

beforeAll(async () => {
  browser = await launchChromium()
  server = await startServer({ release: releaseAll })
})

afterAll(() => browser.close())

describe.each([
  ['3.1', 'y-websocket'],
  ['2.1', 'y-websocket-v2'],
])('with y-websocket %s', (version, installed) => {
  let script: string

  beforeAll(async () => {
    script = await bundleScript(PAGE, 'provided', { 'y-websocket': installed })
  })

  async function open(kind: Kind, document: string, name: string): Promise<Page> {
    const page = await openPage(browser, `${server.url}health`, onTestFinished)
    // Not as a script element: the content security policy there refuses inline code.
    await page.evaluate(script)
    await page.evaluate((args) => provided.start(...args), [kind, server.url, document, name] as const)
    return page
  }

  test.each(KINDS)('%s shares a text, shows the carets of others and says when it is saved', async (kind) => {
    const document = `${kind} ${version}`
    const ann = await open(kind, document, 'Ann')
    const ben = await open('textarea', document, 'Ben')
    await ann.locator('textarea').pressSequentially('hello')
    await textIs(ben, 'hello')
    await isSaved(ann)
    await ben.locator('textarea').press('End')
    await ben.locator('textarea').pressSequentially(' you')
    await textIs(ann, 'hello you')
    await isSaved(ben)
    await ann.getByText('Ben', { exact: true }).waitFor({ state: 'attached' })
    await ben.getByText('Ann', { exact: true }).waitFor({ state: 'attached' })
    await ann.locator('textarea').press('ControlOrMeta+z')
    await textIs(ben, ' you')
    expect(await ann.locator('textarea').inputValue()).toBe(' you')
  })
})

async function isSaved(page: Page): Promise<void> {
  await page.waitForFunction(() => document.title === 'Saved')
}
