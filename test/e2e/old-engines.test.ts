import { readFile } from 'node:fs/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { openContext, stateIs } from '../support/demo.ts'
import { serveFiles } from '../support/file-server.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { pathOf } from '../support/papers.ts'
import { removeYoungerApis } from '../support/younger-apis.ts'

const LINES = Array.from({ length: 200 }, (_, n) => `line ${n}\n`).join('')

/** The page of somebody who says who it is, and keeps a copy. */
const PAGE = `<!doctype html>
<textarea id="own" style="width: 300px; height: 200px; line-height: 20px"></textarea>
<coedit-textarea document="other"><textarea></textarea></coedit-textarea>
<script type="module">
  import * as coedit from './coedit.js'

  const query = new URLSearchParams(location.search)
  const [url, name] = [query.get('server'), query.get('name')]
  const notes = coedit.connect({ url, document: 'notes', user: { id: name, name }, offline: true })
  const element = document.querySelector('#own')
  const binding = coedit.bindTextarea(element, notes.text, { awareness: notes.awareness })
  coedit.showPeers(binding, notes.awareness)
  coedit.announcePeers(notes.awareness)
  coedit.watchPresence(notes.awareness)
  coedit.defineCoeditTextarea()
  document.querySelector('coedit-textarea').setAttribute('url', url.replace('ws', 'http'))
  notes.subscribe((state) => Object.assign(document.body.dataset, { saved: state.saved, copy: state.copy }))
  globalThis.clear = () => coedit.clearOffline(name)
</script>`

let browser: Browser
beforeAll(async () => {
  browser = await launchChromium()
})
afterAll(() => browser.close())

test('the built client works where what is younger than its oldest browsers is missing', async () => {
  const server = await startInProcess({ release: onTestFinished })
  const script = await readFile(pathOf('client/dist/coedit.js'), 'utf8')
  const files = new Map([
    ['index.html', PAGE],
    ['coedit.js', script],
    ['empty.html', ''],
  ])
  const site = await serveFiles(onTestFinished, files)
  const open = async (name: string) => {
    const context = await openContext(browser, onTestFinished)
    const page = await context.newPage()
    await page.addInitScript(removeYoungerApis)
    await page.goto(`${site}?name=${name}&server=${encodeURIComponent(server.url.replace('http', 'ws'))}`)
    await page.locator('body[data-saved=true][data-copy=kept]').waitFor()
    return page
  }
  const ann = await open('Ann')
  expect(await ann.evaluate(() => 'canParse' in URL || 'toSorted' in [] || 'databases' in indexedDB)).toBe(false)
  const ben = await open('Ben')
  const own = (page: Page) => page.locator('#own')

  await own(ann).pressSequentially('from Ann')
  await own(ann).evaluate((element: HTMLTextAreaElement) => element.setSelectionRange(0, 0))
  await ann.keyboard.insertText(LINES)
  await expect.poll(() => own(ben).inputValue()).toBe(`${LINES}from Ann`)

  await own(ben).evaluate((element) => element.scrollTo(0, 1000))
  await own(ann).evaluate((element: HTMLTextAreaElement) => element.setSelectionRange(0, 0))
  await ann.keyboard.insertText('above\n')
  await expect.poll(() => own(ben).evaluate(({ scrollTop }) => scrollTop)).toBe(1020)
  await ann.keyboard.press('ControlOrMeta+z')
  await expect.poll(() => own(ben).inputValue()).not.toContain('above')
  await ben.locator('coedit-peers[style]').first().waitFor({ state: 'attached' })

  const elements = (page: Page) => page.locator('coedit-textarea textarea')
  await elements(ben).pressSequentially('element')
  await expect.poll(() => elements(ann).inputValue()).toBe('element')

  await ann.evaluate(() => Reflect.get(globalThis, 'clear')())
  const later = await ann.context().newPage()
  await later.goto(`${site}empty.html`)
  expect(await later.evaluate(async () => [(await indexedDB.databases()).length, localStorage.length])).toEqual([0, 0])
})

test('and so does the page of the server', async () => {
  const server = await startInProcess({ release: onTestFinished })
  const context = await openContext(browser, onTestFinished)
  await context.addInitScript(removeYoungerApis)
  for (const [insert, text] of [
    ['one', 'one'],
    [' two', 'one two'],
  ] as const) {
    const page = await context.newPage()
    await page.goto(`${server.url}d/notes`)
    await stateIs(page, 'Saved')
    const field = page.locator('textarea').first()
    await field.press('End')
    await page.keyboard.insertText(insert)
    await expect.poll(() => field.inputValue()).toBe(text)
    await stateIs(page, 'Saved')
  }
})
