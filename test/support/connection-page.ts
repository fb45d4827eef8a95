import { fileURLToPath } from 'node:url'
import type { ConnectOptions } from '@coedit/client'
import type { BrowserContext, Page } from 'playwright-core'
import type {} from '../e2e/pages/connection.ts'
import { bundleScript } from './bundle.ts'
import { openTab } from './demo.ts'
import { serveFiles } from './file-server.ts'
import type { Release } from './temporary.ts'

const ENTRY = fileURLToPath(new URL('../e2e/pages/connection.ts', import.meta.url))

/** Serves a page with a shared textarea. Resolves with its address, to which `connectionPage` adds the options. */
export async function serveConnectionPage(release: Release): Promise<string> {
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

type PlainOptions = Omit<ConnectOptions, 'token' | 'WebSocket'>

/** Opens a tab that connects to the document `notes` with these options. */
export function openConnection(
  context: BrowserContext,
  site: string,
  options: Partial<PlainOptions> & { readonly url: string },
): Promise<Page> {
  return openTab(context, `${site}?${encodeURIComponent(JSON.stringify({ document: 'notes', ...options }))}`)
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
