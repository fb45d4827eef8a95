import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openPage, pane, setDemo, stateIs, textarea, textIs } from '../support/demo.ts'
import { cases } from '../support/runs.ts'
import { syncedClient } from '../support/stock-clients.ts'

/** What finds what people cannot see, hear or reach, by the rules of WCAG that a program can check. */
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

const LIGHT: BrowserContextOptions = { colorScheme: 'light' }
const DARK: BrowserContextOptions = { colorScheme: 'dark' }
const FORCED: BrowserContextOptions = { forcedColors: 'active' }

const EXAMPLES = ['status', 'examples.html', 'echo.html', 'ticker.html', 'auction.html', 'orders.html', 'chat.html']

/** The other pages, the longest docs last. */
const PATHS = ['nowhere', 'new', 'docs.html', 'docs-protocol.html', 'docs-server.html', ...EXAMPLES]

const demo = setDemo()

function open(url: string, options: BrowserContextOptions): Promise<Page> {
  return openPage(demo.browser, url, onTestFinished, { ...options, reducedMotion: 'reduce' })
}

/** The rules that the page breaks, and where. */
async function violations(page: Page): Promise<string[]> {
  // A name that fades has less and less contrast.
  await page.locator('coedit-peers .name').evaluateAll((names) => {
    for (const fading of names.flatMap((name) => name.getAnimations())) fading.finish()
  })
  await page.evaluate(await readFile(AXE, 'utf8'))
  return page.evaluate(async () => {
    const axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> } = Reflect.get(
      window,
      'axe',
    )
    const { violations } = await axe.run()
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
  })
}

/** The contrast of two colours as CSS writes them, by WCAG 2.2. */
function contrast(page: Page, colors: readonly [string, string]): Promise<number> {
  return page.evaluate((pair) => {
    const canvas = document.createElement('canvas').getContext('2d')
    if (canvas === null) throw new Error('there is no canvas')
    const luminances = pair.map((color) => {
      canvas.fillStyle = color
      canvas.fillRect(0, 0, 1, 1)
      const [red = 0, green = 0, blue = 0] = [...canvas.getImageData(0, 0, 1, 1).data].map((byte) => {
        const channel = byte / 255
        return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    })
    return (Math.max(...luminances) + 0.05) / (Math.min(...luminances) + 0.05)
  }, colors)
}

describe.each([
  { name: 'light', theme: LIGHT, widths: [360, 1280], paths: PATHS },
  { name: 'dark', theme: DARK, widths: cases([1280], [360]), paths: cases(PATHS.slice(0, 3), PATHS.slice(3)) },
  {
    name: 'forced colours',
    theme: FORCED,
    widths: cases([360], [1280]),
    paths: cases(PATHS.slice(0, 3), PATHS.slice(3)),
  },
])('in $name', ({ theme, widths, paths }) => {
  test.each(widths)('a window of %i pixels has nothing that axe finds fault with', async (width) => {
    const viewport = { width, height: 800 }
    const page = await open(demo.place(), { ...theme, viewport })
    await stateIs(page, 'Saved')
    expect(await violations(page)).toEqual([])
    if (width < 960) await page.getByRole('button', { name: 'Two editors' }).click()
    await textarea(page, 0).press('x')
    await textIs(page, 'x', 1)
    await pane(page, 1).getByRole('button', { name: 'Go offline' }).click()
    await stateIs(page, /^Offline/, 1)
    await page.getByText('The code behind each editor here').click()
    expect(await violations(page)).toEqual([])
    const read = await openPage(demo.browser, `${page.url()}?access=read`, onTestFinished, { ...theme, viewport })
    await stateIs(read, 'Read-only')
    expect(await violations(read)).toEqual([])
  })

  test('no other page has anything that axe finds fault with', async () => {
    const page = await open(demo.url, { ...theme, viewport: { width: 360, height: 740 } })
    for (const path of paths) {
      await page.goto(`${demo.url}${path}`)
      await page.locator('h1:visible, h2:visible, #title:visible').first().waitFor()
      expect([path, await violations(page)]).toEqual([path, []])
    }
  })

  test('a pressed button differs from others by its frame and by a mark', async () => {
    const page = await open(demo.place(), { ...theme, viewport: { width: 1280, height: 800 } })
    await stateIs(page, 'Saved', 1)
    const looks = (name: string) =>
      page.getByRole('button', { name }).evaluate((button) => {
        const { borderTopColor, backgroundColor } = getComputedStyle(button)
        return { borderTopColor, backgroundColor, mark: getComputedStyle(button, '::before').content }
      })
    const [pressed, other] = [await looks('Side by side'), await looks('Hide cursors')]
    expect(pressed.mark).toContain('✓')
    expect(other.mark).toBe('none')
    expect(pressed.backgroundColor).not.toBe(other.backgroundColor)
    expect(pressed.borderTopColor).not.toBe(other.borderTopColor)
    const desk = await page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    expect(await contrast(page, [pressed.borderTopColor, desk])).toBeGreaterThanOrEqual(3)
  })

  test('one’s own caret is seen, whatever colour one chose', async () => {
    const page = await open(demo.place(), { ...theme, viewport: { width: 800, height: 600 } })
    await stateIs(page, 'Saved')
    const paper = await pane(page, 0).evaluate((element) => getComputedStyle(element).backgroundColor)
    for (const color of ['#000000', '#ffffff', '#1c1e22', '#ffee00']) {
      await page.getByLabel('Your colour').fill(color)
      const caret = await textarea(page).evaluate((field) => getComputedStyle(field).caretColor)
      expect(await contrast(page, [caret, paper])).toBeGreaterThanOrEqual(3)
    }
  })
})

describe('on a phone', () => {
  test.each(cases([360], [390]))(
    '%i pixels wide the header is at most 96 pixels high, whoever is here',
    async (width) => {
      const viewport = { width, height: 740 }
      const page = await open(`${demo.url}new`, { viewport })
      await stateIs(page, 'Saved')
      await page.getByLabel('Title of the document').fill('A title that is much too long for a phone')
      const document = new URL(page.url()).pathname.slice('/d/'.length)
      for (const name of ['Bo', 'Cy', 'Di', 'Ed']) {
        const other = await syncedClient({ release: onTestFinished, url: demo.url, document })
        other.provider.awareness.setLocalStateField('user', { name, color: '#123456' })
      }
      await page.getByRole('listitem', { name: 'and 2 more' }).waitFor()
      const height = async (shown: Page) => (await shown.locator('header').boundingBox())?.height
      expect(await height(page)).toBeLessThanOrEqual(96)
      const read = await openPage(demo.browser, `${page.url()}?access=read`, onTestFinished, { viewport })
      await stateIs(read, 'Read-only')
      expect(await height(read)).toBeLessThanOrEqual(96)
    },
  )

  test('the state is seen with the keyboard open, and again with it closed', async () => {
    const page = await open(`${demo.url}new`, { viewport: { width: 360, height: 740 } })
    await stateIs(page, 'Saved')
    for (const seen of [330, 740]) {
      await page.setViewportSize({ width: 360, height: seen })
      await page.waitForFunction((height) => innerHeight === height, seen)
      await textarea(page).focus()
      await page.keyboard.type('typed')
      const state = await page.locator('.state').boundingBox()
      const text = await textarea(page).boundingBox()
      if (state === null || text === null) throw new Error('the page has no editor')
      expect(state.y + state.height).toBeLessThanOrEqual(seen)
      expect(text.y).toBeGreaterThanOrEqual(0)
      expect(text.height).toBeGreaterThan(80)
    }
  })

  test('the state is seen above a keyboard that covers the window without making it lower', async () => {
    const page = await open(`${demo.url}new`, { viewport: { width: 360, height: 740 } })
    await stateIs(page, 'Saved')
    await page.evaluate(() => {
      const seen = window.visualViewport
      if (seen === null) throw new Error('the browser tells nothing of what is seen')
      Object.defineProperty(seen, 'height', { value: 380 })
      seen.dispatchEvent(new Event('resize'))
    })
    const state = await page.locator('.state').boundingBox()
    expect((state?.y ?? 0) + (state?.height ?? 740)).toBeLessThanOrEqual(380)
  })
})

describe('a read-only page', () => {
  test('shows that nothing can be typed, before one tries', async () => {
    const page = await open(`${demo.place()}?access=read`, { viewport: { width: 1024, height: 768 } })
    await stateIs(page, 'Read-only')
    const write = await openPage(demo.browser, page.url().replace('?access=read', ''), onTestFinished)
    const looks = (shown: Page) =>
      pane(shown, 0).evaluate((element) => {
        const { backgroundColor, borderTopStyle } = getComputedStyle(element)
        return { backgroundColor, borderTopStyle }
      })
    expect(await looks(page)).toEqual({ backgroundColor: 'rgba(0, 0, 0, 0)', borderTopStyle: 'dashed' })
    expect(await looks(write)).not.toEqual(await looks(page))
    expect(await page.locator('header').getByText('Read-only', { exact: true }).isVisible()).toBe(true)
    expect(await textarea(page).getAttribute('placeholder')).toBe('Nothing has been written here yet.')
    expect(await page.evaluate(() => document.activeElement?.localName)).toBe('body')
  })
})
