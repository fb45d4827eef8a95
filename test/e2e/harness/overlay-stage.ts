import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'
import { bundleScript } from '../../support/bundle.ts'
import { launchChromium } from '../../support/chromium.ts'
import type {} from './overlay.ts'

export const TEXTAREA = '<textarea cols=40 rows=8 style="padding:10px"></textarea>'
export const LINES = Array.from({ length: 20 }, (_, line) => `This is line ${line}\n`).join('')

/** How visible the name beside a caret is, from 0 to 1. */
export function opacity(page: Page, name = 'Ann'): Promise<number> {
  return page.evaluate((who) => Number(getComputedStyle(overlays.scene.name(who) ?? document.body).opacity), name)
}

/** What opens pages with overlays, for all tests of a file. Errors in the pages fail the test. */
export interface OverlayStage {
  /** A page with this markup, whose first text control shows this text and has an overlay. */
  open(text: string, html?: string, options?: BrowserContextOptions): Promise<Page>
  /** A page with this markup that has the harness, and no overlay yet. */
  openMarkup(html: string, options?: BrowserContextOptions): Promise<Page>
  /** An empty page. */
  openBlank(options?: BrowserContextOptions): Promise<Page>
  /** The harness, for a page that does not have it. */
  readonly script: string
}

/** To be called once in a test file, outside of its tests. */
export function setOverlayStage(): OverlayStage {
  let browser: Browser
  let script: string

  beforeAll(async () => {
    script = await bundleScript(fileURLToPath(new URL('overlay.ts', import.meta.url)), 'overlays')
    browser = await launchChromium()
  })
  afterAll(() => browser.close())

  async function openBlank(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 500, height: 320 }, ...options })
    const page = await context.newPage()
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text())
    })
    onTestFinished(async () => {
      await context.close()
      expect(errors).toEqual([])
    })
    return page
  }

  async function openMarkup(html: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await openBlank(options)
    await page.setContent(`<!doctype html>${html}`)
    await page.addScriptTag({ content: script })
    return page
  }

  return {
    get script() {
      return script
    },
    openBlank,
    openMarkup,
    async open(text, html = TEXTAREA, options = {}) {
      const page = await openMarkup(html, options)
      await page.evaluate((initial) => void overlays.begin(initial), text)
      return page
    },
  }
}
