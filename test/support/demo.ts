import type { Browser, Page } from 'playwright-core'
import type { Release } from './temporary.ts'

/**
 * Opens a page in a browser context of its own: pages of one context could share data without the server. The release
 * fails when the page raised an error or broke its content security policy.
 */
export async function openPage(browser: Browser, url: string, release: Release): Promise<Page> {
  const context = await browser.newContext()
  const page = await context.newPage()
  const failures: string[] = []
  page.on('pageerror', (error) => failures.push(String(error)))
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) failures.push(message.text())
  })
  release(async () => {
    await context.close()
    if (failures.length > 0) throw new Error(`${url} failed: ${failures.join('; ')}`)
  })
  await page.goto(url)
  return page
}

/** The demo page's textarea. */
export function textarea(page: Page) {
  return page.locator('#text')
}

export async function stateWords(page: Page): Promise<string> {
  return page.locator('#state').innerText()
}

/** Resolves when the state line says exactly this. */
export async function stateIs(page: Page, words: string): Promise<void> {
  await page.locator(`#state:text-is("${words}")`).waitFor()
}

/** Resolves when the textarea shows exactly this. */
export async function textIs(page: Page, text: string): Promise<void> {
  await page.waitForFunction((expected) => document.querySelector('textarea')?.value === expected, text)
}

/** Puts the caret, or a selection, where the user would by mouse. */
export async function select(page: Page, start: number, end = start): Promise<void> {
  await textarea(page).evaluate(
    (element, range) => element instanceof HTMLTextAreaElement && element.setSelectionRange(range.start, range.end),
    { start, end },
  )
}
