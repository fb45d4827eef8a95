import type { Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openPage, pane, setDemo, stateIs, textarea, textIs, VIOLATION } from '../support/demo.ts'
import { inScope } from '../support/scope.ts'

/** A small phone; 1280 × 1024 at a zoom of 400 % (WCAG 2.2, 1.4.10); 1280 × 720 at 200 %, and at 100 %. */
const SIZES = [
  [360, 640],
  [320, 256],
  [640, 360],
  [1280, 720],
] as const

const demo = setDemo()

/** How far the page reaches beyond the window, to the right. */
function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}

/** The page with all that takes room: a long name, two editors, one offline with kept edits, the code, people. */
async function openFull(width: number, height: number): Promise<Page> {
  const place = `${demo.place()}-a-long-name-without-a-space-as-new-documents-have-FTqMv8aZ`
  const page = await openPage(demo.browser, place, onTestFinished, { viewport: { width, height } })
  await stateIs(page, 'Saved')
  if (width < 960) await page.getByRole('button', { name: 'Two editors' }).click()
  await stateIs(page, 'Saved', 1)
  await pane(page, 1).getByRole('button', { name: 'Go offline' }).click()
  await textarea(page, 1).fill('x')
  await stateIs(page, 'Offline, 1 edit kept here', 1)
  await page.getByText('The code behind each editor here').click()
  return page
}

describe.each(SIZES)('in a window of %i × %i', (width, height) => {
  test('nothing reaches beyond the right edge, and each control can be seen', async () => {
    const page = await openFull(width, height)
    expect(await overflow(page)).toBe(0)
    const controls = page.locator('button:visible, a:visible, input:visible, textarea:visible, summary:visible')
    for (const control of await controls.all()) {
      const box = await control.boundingBox()
      if (box === null) throw new Error('a visible control has no box')
      expect([await control.innerText(), box.x >= 0 && box.x + box.width <= width]).toEqual([expect.any(String), true])
      // WCAG 2.2, 2.5.8
      expect(Math.min(box.width, box.height)).toBeGreaterThanOrEqual(24)
    }
  })
})

test('text of twice the size stays inside of a window of 360 pixels', async () => {
  const page = await openFull(360, 640)
  await page.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'))
  expect(await overflow(page)).toBe(0)
})

/** What one reads of the element that has the focus, and whether one sees that it has it. */
function focused(page: Page): Promise<{ name: string; isSeen: boolean }> {
  return page.evaluate(() => {
    const element = document.activeElement
    if (!(element instanceof HTMLElement)) throw new Error('nothing has the focus')
    const ring = element instanceof HTMLTextAreaElement ? element.closest('.pane') : element
    if (ring === null) throw new Error('a textarea is in no pane')
    const { outlineStyle, outlineWidth } = getComputedStyle(ring)
    const isSeen = outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 1
    return { name: element.ariaLabel ?? element.innerText, isSeen }
  })
}

describe('by keyboard alone', () => {
  test('everything is reached in the order of the page, and one always sees where one is', async () => {
    const page = await openPage(demo.browser, demo.place(), onTestFinished, { viewport: { width: 800, height: 600 } })
    await stateIs(page, 'Saved')
    expect((await focused(page)).name).toBe('Text')
    await page.evaluate(() => {
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
      getSelection()?.removeAllRanges()
    })
    await page.locator('h1').click()
    const seen: string[] = []
    do {
      await page.keyboard.press('Tab')
      const { name, isSeen } = await focused(page)
      expect([name, isSeen]).toEqual([name, true])
      seen.push(name)
    } while (seen.at(-1) !== 'The code behind each editor here')
    expect(seen.map((name) => name.replace(/^.*, you$/, 'You'))).toEqual([
      'You',
      'Copy link',
      'Code',
      'Docs',
      'Examples',
      'Read-only link',
      'Your colour',
      'Your name',
      'Undo',
      'Redo',
      'Text',
      'Go offline',
      'Two editors',
      'Open a second tab',
      'Hide cursors',
      'History',
      'Download .txt',
      'Copy read-only link',
      'New document',
      'The code behind each editor here',
    ])
  })

  test('one types, goes offline, comes back, undoes, and opens a second editor', async () => {
    const page = await openPage(demo.browser, demo.place(), onTestFinished, { viewport: { width: 800, height: 600 } })
    await stateIs(page, 'Saved')
    await page.keyboard.type('typed')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await stateIs(page, /^Offline/)
    await page.keyboard.press('Enter')
    await stateIs(page, 'Saved')
    for (let back = 0; back < 3; back++) await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await textIs(page, '')
    for (let on = 0; on < 4; on++) await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    await stateIs(page, 'Saved', 1)
  })
})

describe('the content security policy', () => {
  test.each([
    ['markup from text', () => document.body.insertAdjacentHTML('beforeend', '<b>x</b>'), 'require-trusted-types-for'],
    ['a style attribute', () => document.body.setAttribute('style', 'color: red'), 'style-src-attr'],
    ['a request to elsewhere', () => void fetch('https://example.org').catch(() => undefined), 'connect-src'],
    ['a socket to elsewhere', () => void new WebSocket('wss://example.org'), 'connect-src'],
  ])('refuses %s, and a test on such a page fails', async (_, breach, directive) => {
    const visit = inScope(async (release) => {
      const page = await openPage(demo.browser, demo.place(), release)
      // Chromium's own line in the console names the directive, too, but comes earlier: the page might close in between.
      const reported = page.waitForEvent('console', (message) => message.text().startsWith(VIOLATION))
      await page.evaluate(breach).catch((error: unknown) => error)
      await reported
    })
    await expect(visit).rejects.toThrow(directive)
  })
})
