import { fileURLToPath } from 'node:url'
import type { Browser, CDPSession, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as Y from 'yjs'
import { bundleScript } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { openPage } from '../support/demo.ts'
import { startServer } from '../support/process.ts'
import { startProxy } from '../support/proxy.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { inScope } from '../support/scope.ts'
import { freshCopy } from '../support/stock-clients.ts'
import type { Release } from '../support/temporary.ts'
import type {} from './harness/editor.ts'

const PAGES = 3
const SEEDS = 12
const STEPS = 20
const MAX_DELAY_MS = 30
/** Far above the 10 s that it takes: three pages and a server share the cores with whatever else runs. */
const TIMEOUT_MS = runs(180_000)
const TEXTS = ['a', 'b', 'word ', '😀', '😁', '👩‍👩‍👧', 'two\nlines\n']
const KEYS = ['Backspace', 'Delete', 'Enter', 'a', 'Home', 'ArrowUp', 'ControlOrMeta+z', 'ControlOrMeta+y']
const READINGS = ['に', 'にほ', '']
const COMMITS = ['日', '日本', '😂']

let browser: Browser
let script: string

beforeAll(async () => {
  script = await bundleScript(fileURLToPath(new URL('harness/editor.ts', import.meta.url)), 'editor')
  browser = await launchChromium()
})

afterAll(() => browser.close())

interface Writer {
  readonly page: Page
  readonly inputMethod: CDPSession
  /** The server, as this page reaches it. */
  readonly url: string
}

/** A page whose line to the server holds every piece back for a time that chance decides. */
async function openWriter(serverUrl: string, random: Random, release: Release): Promise<Writer> {
  const { url } = await startProxy({ release, target: serverUrl, delayMs: () => random.below(MAX_DELAY_MS) })
  const page = await openPage(browser, `${url}health`, release)
  // Not as a script element: the content security policy there refuses inline code.
  await page.evaluate(script)
  return { page, inputMethod: await page.context().newCDPSession(page), url }
}

/** One random thing that a user, an input method or the application does. */
async function act({ page, inputMethod }: Writer, random: Random): Promise<void> {
  const place = random.below(1000) / 1000
  const length = random.below(4)
  const kind = random.below(10)
  if (kind < 3) await page.keyboard.insertText(random.pick(TEXTS))
  else if (kind < 5) await page.keyboard.press(random.pick(KEYS))
  else if (kind < 7) await page.evaluate(([at, size]) => editor.select(at, size), [place, length] as const)
  else if (kind < 8) await compose(inputMethod, random.pick(READINGS))
  else if (kind < 9) await inputMethod.send('Input.insertText', { text: random.pick(COMMITS) })
  else await overwrite(page, place, length, random.pick(TEXTS))
}

async function compose(inputMethod: CDPSession, text: string): Promise<void> {
  await inputMethod.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length })
}

async function overwrite(page: Page, place: number, length: number, text: string): Promise<void> {
  await page.evaluate(([at, size, insert]) => editor.overwrite(at, size, insert), [place, length, text] as const)
}

async function write(writer: Writer, random: Random): Promise<void> {
  for (let step = 0; step < STEPS; step++) await act(writer, random)
}

test(`random edits by ${PAGES} pages with delays, compositions and foreign writes converge`, {
  timeout: TIMEOUT_MS,
}, async () => {
  await inScope(async (release) => {
    const server = await startServer({ release })
    const writers: Writer[] = []
    for (let n = 0; n < PAGES; n++) writers.push(await openWriter(server.url, new Random(n), release))

    for (let seed = 0; seed < runs(SEEDS); seed++) {
      const document = `seed ${seed}`
      await Promise.all(
        writers.map(({ page, url }) => page.evaluate(([at, name]) => editor.open(at, name), [url, document] as const)),
      )
      await Promise.all(writers.map((writer, n) => write(writer, new Random(seed * PAGES + n))))
      await Promise.all(writers.map(({ page }) => page.evaluate(() => editor.settle())))

      const copy = await freshCopy({ release, url: server.url, document })
      const stored = copy.getText('content').toString()
      const snapshot = String([...Y.encodeSnapshot(Y.snapshot(copy))])
      expect(stored, document).not.toContain('\uFFFD')
      for (const { page } of writers) {
        // The text alone may be right before the last edits have come: one that inserts, and one that deletes that.
        await page.waitForFunction((wanted) => String(editor.snapshot()) === wanted, snapshot)
        await page.waitForFunction((text) => editor.texts().shown === text, stored)
        expect(await page.evaluate(() => editor.texts()), document).toEqual({ shown: stored, shared: stored })
      }
    }
  })
})
