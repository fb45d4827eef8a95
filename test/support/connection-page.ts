import { fileURLToPath } from 'node:url'
import type { ConnectOptions } from '@coedit/client'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import type {} from '../e2e/pages/connection.ts'
import { afterTests } from './after-tests.ts'
import { bundleScript } from './bundle.ts'
import { launchChromium } from './chromium.ts'
import { openContext, openTab } from './demo.ts'
import { serveFiles } from './file-server.ts'
import type { Release } from './temporary.ts'

const ENTRY = fileURLToPath(new URL('../e2e/pages/connection.ts', import.meta.url))

/** What opens pages that connect, for all tests of a file. */
export interface ConnectionPages {
  /** The address of the page, to which the options of a connection are added. Beside it lies `away.html`. */
  readonly site: string
  /** What one person's browser is. */
  newContext(): Promise<BrowserContext>
  /** Opens a tab that connects to the document `notes` with these options. */
  open(context: BrowserContext, options: PageOptions): Promise<Page>
}

type PageOptions = Partial<Omit<ConnectOptions, 'token' | 'WebSocket'>> & { readonly url: string }

/** To be called once in a test file or a `describe`, outside of its tests. */
export function setConnectionPages(launch: () => Promise<Browser> = launchChromium): ConnectionPages {
  const release = afterTests()
  let browser: Browser
  let site: string

  beforeAll(async () => {
    browser = await launch()
    site = await serveConnectionPage(release)
  })
  afterAll(() => browser.close())

  return {
    get site() {
      return site
    },
    newContext: () => openContext(browser, onTestFinished),
    open: (context, options) =>
      openTab(context, `${site}?${encodeURIComponent(JSON.stringify({ document: 'notes', ...options }))}`),
  }
}

/** Serves a page with a shared textarea. */
async function serveConnectionPage(release: Release): Promise<string> {
  const script = await bundleScript(ENTRY, 'client')
  const page = `<!doctype html><title>connection</title><textarea></textarea><script>${script}; client.start()</script>`
  const away = '<!doctype html><title>elsewhere</title>'
  return serveFiles(
    release,
    new Map([
      ['index.html', page],
      ['away.html', away],
    ]),
  )
}

/** Resolves when the connection's state has all of these values. */
export async function stateHas(page: Page, expected: Readonly<Record<string, unknown>>): Promise<void> {
  await page.waitForFunction((values) => {
    const state = new Map(Object.entries(client.connection.state))
    return Object.entries(values).every(([name, value]) => state.get(name) === value)
  }, expected)
}

/** Whether the browser asks before this page is closed, which it is in the end. */
export async function closesWithQuestion(page: Page): Promise<boolean> {
  const asked = page.waitForEvent('dialog').then((dialog) => ({ dialog }))
  const closed = page.waitForEvent('close').then(() => undefined)
  await page.close({ runBeforeUnload: true })
  const first = await Promise.race([asked, closed])
  await first?.dialog.accept()
  await closed
  return first !== undefined
}
