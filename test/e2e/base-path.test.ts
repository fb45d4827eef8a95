import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterTests } from '../support/after-tests.ts'
import { launchChromium } from '../support/chromium.ts'
import { type ServerProcess, startServer } from '../support/process.ts'

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

/** Opens a page of its own browser context, so that nothing is shared but through the server. */
async function open(url: string): Promise<{ page: Page; problems: string[] }> {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  const page = await context.newPage()
  const problems: string[] = []
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('requestfailed', (request) => problems.push(`${request.url()} failed`))
  await page.goto(url)
  return { page, problems }
}

describe.each(['', '/team/coedit'])('below the base path "%s"', (basePath) => {
  const release = afterTests()
  let server: ServerProcess
  beforeAll(async () => {
    server = await startServer({ release, flags: ['--base-path', basePath] })
  })

  test.each(['', 'd/notes', 'd/a%2Fb%20%C3%A9'])(
    'the page at "%s" loads everything it needs and shares its text',
    async (path) => {
      const [writer, reader] = [await open(server.url + path), await open(server.url + path)]
      await writer.page.locator('textarea').first().pressSequentially('hello')
      await reader.page.waitForFunction(() => document.querySelector('textarea')?.value === 'hello')
      expect([writer.problems, reader.problems]).toEqual([[], []])
    },
  )

  test('"New document" leads to a fresh one', async () => {
    const { page } = await open(`${server.url}d/notes`)
    await page.locator('a', { hasText: 'New document' }).click()
    await page.waitForURL(/\/d\/[\w-]{22}$/)
    expect(page.url().startsWith(`${server.url}d/`)).toBe(true)
  })
})
