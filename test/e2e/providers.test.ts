import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterTests } from '../support/after-tests.ts'
import { bundleScript } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { openPage, textIs } from '../support/demo.ts'
import { pathOf } from '../support/papers.ts'
import { startServer } from '../support/process.ts'
import type { Kind } from './pages/provided.ts'

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
  ['y-websocket 3.1', 'y-websocket', 'y-websocket'],
  ['y-websocket 2.1', 'y-websocket', 'y-websocket-v2'],
  ['Hocuspocus 4.8', '@hocuspocus/provider', '@hocuspocus/provider'],
  ['Hocuspocus 3.4', '@hocuspocus/provider', 'hocuspocus-provider-v3'],
  ['Hocuspocus 2.15', '@hocuspocus/provider', 'hocuspocus-provider-v2'],
])('with a provider of %s', (version, imported, installed) => {
  let script: string

  beforeAll(async () => {
    const page = pathOf(`test/e2e/pages/${imported === 'y-websocket' ? imported : 'hocuspocus'}.ts`)
    script = await bundleScript(page, 'provided', { [imported]: installed })
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
