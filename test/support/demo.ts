import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { beforeAll } from 'vitest'
import { afterTests } from './after-tests.ts'
import { launchChromium } from './chromium.ts'
import { type ServerProcess, startServer } from './process.ts'
import type { Release } from './temporary.ts'

/** A browser and a server for all tests of a file, which takes longer to start than most of them take. */
export interface DemoStage {
  readonly browser: Browser
  /** Of the server, with a slash at the end. */
  readonly url: string
  /** The address of a document that no other test has. */
  place(): string
}

/** To be called once in a test file, outside of its tests. */
export function setDemo(): DemoStage {
  const release = afterTests()
  let browser: Browser
  let server: ServerProcess
  let places = 0

  beforeAll(async () => {
    browser = await launchChromium()
    release(() => browser.close())
    server = await startServer({ release })
  })

  return {
    get browser() {
      return browser
    },
    get url() {
      return server.url
    },
    place: () => `${server.url}d/notes-${++places}`,
  }
}

/**
 * Opens a page in a browser context of its own: pages of one context could share data without the server. The release
 * fails when the page raised an error or broke its content security policy.
 */
export async function openPage(
  browser: Browser,
  url: string,
  release: Release,
  options: BrowserContextOptions = {},
): Promise<Page> {
  return openTab(await openContext(browser, release, options), url)
}

/** A browser context: what one person's browser is. The release fails when one of its pages did what `openPage` forbids. */
export async function openContext(
  browser: Browser,
  release: Release,
  options: BrowserContextOptions = {},
): Promise<BrowserContext> {
  const context = await browser.newContext(options)
  const failures: string[] = []
  context.on('weberror', (error) => failures.push(String(error.error())))
  context.on('console', (message) => {
    if (message.text().startsWith(VIOLATION)) failures.push(message.text())
  })
  await context.addInitScript(reportViolations, VIOLATION)
  release(async () => {
    await context.close()
    if (failures.length > 0) throw new Error(`a page failed: ${failures.join('; ')}`)
  })
  return context
}

export async function openTab(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage()
  await page.goto(url)
  return page
}

/** What the report of a broken policy begins with, in the console of the page. */
export const VIOLATION = 'content security policy broken:'

/** Runs in the page. The event comes for Trusted Types as well, whose messages in the console do not name the policy. */
function reportViolations(prefix: string): void {
  document.addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sample }) => {
    console.error(prefix, effectiveDirective, blockedURI, sample)
  })
}

/** The demo page's textarea; where there are two editors, that of the one at `index`. */
export function textarea(page: Page, index = 0) {
  return page.locator('textarea').nth(index)
}

/** One of the demo page's editors with its name, state and buttons. */
export function pane(page: Page, index: number) {
  return page.locator('.pane').nth(index)
}

/** What the state chip says. */
export async function stateWords(page: Page, index = 0): Promise<string> {
  return pane(page, index).locator('.state-words').innerText()
}

/** Resolves when the state chip says exactly this, or what the pattern matches, and vouches for it. */
export async function stateIs(page: Page, words: string | RegExp, index = 0): Promise<void> {
  await pane(page, index)
    .locator('.state:not([data-kind=pending]) .state-words')
    .and(page.getByText(words, { exact: true }))
    .waitFor()
}

/** Resolves when the textarea shows exactly this. */
export async function textIs(page: Page, text: string, index = 0): Promise<void> {
  await page.waitForFunction(([expected, at]) => document.querySelectorAll('textarea')[at]?.value === expected, [
    text,
    index,
  ] as const)
}

/** Puts the caret, or a selection, where the user would by mouse. */
export async function select(page: Page, start: number, end = start): Promise<void> {
  await textarea(page).evaluate(
    (element, range) => element instanceof HTMLTextAreaElement && element.setSelectionRange(range.start, range.end),
    { start, end },
  )
}
