import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openContext, openPage, openTab, pane, setDemo, stateIs, textarea, textIs } from '../support/demo.ts'

const WIDE = { viewport: { width: 1280, height: 800 } }
const NARROW = { viewport: { width: 360, height: 740 } }
const SHARE = fileURLToPath(new URL('../../client/demo/share.ts', import.meta.url))

const demo = setDemo()

async function startPage(options = WIDE, url = demo.place()): Promise<{ url: string; page: Page }> {
  const page = await openPage(demo.browser, url, onTestFinished, options)
  await stateIs(page, 'Saved')
  return { url, page }
}

async function nameIn(page: Page, index: number): Promise<string> {
  return pane(page, index).getByLabel('Your name').inputValue()
}

function people(page: Page) {
  return page.getByRole('list', { name: 'People who are here' })
}

/** Resolves when the pane shows a caret with the label. */
async function labelIs(page: Page, index: number, label: string): Promise<void> {
  await pane(page, index).getByText(label, { exact: true }).waitFor()
}

describe('a first visitor, alone', () => {
  test('a wide window has two editors: what is typed shows in both, and the caret with its name in the other', async () => {
    const { page } = await startPage()
    await pane(page, 1).waitFor()
    await page.keyboard.type('hello')
    await textIs(page, 'hello', 1)
    const [first, second] = [await nameIn(page, 0), await nameIn(page, 1)]
    expect(first).not.toBe(second)
    await labelIs(page, 1, first)

    await textarea(page, 1).press('End')
    await page.keyboard.type(' there')
    await textIs(page, 'hello there', 0)
    await labelIs(page, 0, second)
  })

  test('nothing jumps when the second editor comes', async () => {
    const context = await openContext(demo.browser, onTestFinished, WIDE)
    await context.addInitScript(() => {
      const widths: number[] = []
      Object.assign(globalThis, { widths })
      const watch = new ResizeObserver(() => widths.push(document.querySelector('textarea')?.clientWidth ?? 0))
      document.addEventListener('DOMContentLoaded', () =>
        watch.observe(document.querySelector('textarea') ?? document.body),
      )
    })
    const page = await openTab(context, demo.place())
    await stateIs(page, 'Saved', 1)
    const end = await textarea(page).evaluate((element) => element.clientWidth)
    const widths: number[] = await page.evaluate(() => Reflect.get(globalThis, 'widths'))
    expect([...new Set(widths)]).toEqual([end])
  })

  test('who comes is told once to those who listen, and not by each of two editors', async () => {
    const { url, page } = await startPage()
    await stateIs(page, 'Saved', 1)
    const other = await openPage(demo.browser, url, onTestFinished, NARROW)
    const joined = `${await nameIn(other, 0)} joined`
    const told = page.locator('[role=status]', { hasText: joined })
    await told.waitFor({ state: 'attached' })
    expect(await page.locator('[role=status]', { hasText: joined }).count()).toBe(1)
  })

  test('where somebody else is there, there is one editor', async () => {
    const { url, page } = await startPage()
    await pane(page, 1).waitFor()
    const second = await openPage(demo.browser, url, onTestFinished, WIDE)
    await second.locator('#people li').nth(2).waitFor()
    await stateIs(second, 'Saved')
    expect(await second.locator('.pane').count()).toBe(1)
    const box = await textarea(second).boundingBox()
    expect(box?.width).toBeGreaterThan(900)
  })

  test('a narrow window has one editor, and the button brings a second, below the first', async () => {
    const { page } = await startPage(NARROW)
    expect(await page.locator('.pane').count()).toBe(1)
    const button = page.getByRole('button', { name: 'Two editors' })
    expect(await button.getAttribute('aria-pressed')).toBe('false')
    await button.click()
    await textarea(page, 1).fill('hello')
    await textIs(page, 'hello', 0)
    expect(await button.getAttribute('aria-pressed')).toBe('true')
    const [above, below] = [await pane(page, 0).boundingBox(), await pane(page, 1).boundingBox()]
    expect(below?.y).toBeGreaterThan((above?.y ?? 0) + (above?.height ?? 0))
  })

  test('who closes the second editor does not see it again, and loses nothing that was only there', async () => {
    const { page } = await startPage()
    await pane(page, 1).getByRole('button', { name: 'Go offline' }).click()
    await textarea(page, 1).fill('only in the second')
    expect(await textarea(page, 0).inputValue()).toBe('')
    await page.getByRole('button', { name: 'Side by side' }).click()
    await textIs(page, 'only in the second', 0)
    await stateIs(page, 'Saved')
    await page.reload()
    await textIs(page, 'only in the second', 0)
    await stateIs(page, 'Saved')
    expect(await page.locator('.pane').count()).toBe(1)
  })
})

describe('who one is', () => {
  test('a name and a colour that are chosen show to others at once, and are there again after a reload', async () => {
    const { url, page } = await startPage()
    const other = await openPage(demo.browser, url, onTestFinished, NARROW)
    await page.getByLabel('Your name').first().fill('Ada Lovelace')
    await page.getByLabel('Your colour').first().fill('#12ab34')
    const avatar = people(other).getByRole('button', { name: 'Ada Lovelace' })
    await avatar.waitFor()
    expect(await avatar.innerText()).toBe('AL')
    await other.waitForFunction(() => {
      const avatars = [...document.querySelectorAll('#people button')]
      const ada = avatars.find((button) => button.ariaLabel === 'Ada Lovelace, AL')
      return ada !== undefined && getComputedStyle(ada).backgroundColor === 'rgb(18, 171, 52)'
    })
    const element = await avatar.elementHandle()
    await textarea(page).fill('moves the caret')
    await textIs(other, 'moves the caret')
    expect(await element?.evaluate((item) => item.isConnected)).toBe(true)
    await page.reload()
    await avatar.waitFor()
    expect(await nameIn(page, 0)).toBe('Ada Lovelace')
  })

  test('an emptied name is not taken', async () => {
    const { page } = await startPage()
    const name = await nameIn(page, 0)
    await page.getByLabel('Your name').first().fill('')
    await page.keyboard.press('Tab')
    expect(await nameIn(page, 0)).toBe(name)
  })

  test('two tabs of one browser have different names, a reload keeps them, and more people than fit are counted', async () => {
    const url = demo.place()
    const context = await openContext(demo.browser, onTestFinished, NARROW)
    const tabs: Page[] = []
    for (let count = 0; count < 5; count++) tabs.push(await openTab(context, url))
    const [first] = tabs
    if (first === undefined) throw new Error('no tab')
    await first.getByRole('listitem', { name: 'and 2 more' }).waitFor()
    const names = await Promise.all(tabs.map((tab) => nameIn(tab, 0)))
    expect(new Set(names).size).toBeGreaterThan(1)
    await first.reload()
    expect(await nameIn(first, 0)).toBe(names[0])
  })

  test('what others wrote in the browser’s storage is no identity', async () => {
    const { page } = await startPage(NARROW)
    const red = JSON.stringify({ name: 'Red', color: 'red;background:url(//x)' })
    const nameless = JSON.stringify({ name: ' ', color: '#123456' })
    for (const stored of ['', 'null', '{', '7', red, nameless]) {
      await page.evaluate((json) => localStorage.setItem('coedit.demo.first', json), stored)
      await page.reload()
      expect([stored, await nameIn(page, 0)]).toEqual([stored, expect.stringMatching(/^[A-Z]\w+ [A-Z]\w+$/)])
    }
    const known = JSON.stringify({ name: 'Ada', color: '#123456' })
    await page.evaluate((json) => localStorage.setItem('coedit.demo.first', json), known)
    await page.reload()
    expect(await nameIn(page, 0)).toBe('Ada')
  })

  test('a browser that keeps nothing for the page does not stop it', async () => {
    const context = await openContext(demo.browser, onTestFinished, NARROW)
    await context.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, {
          get() {
            throw new DOMException('blocked', 'SecurityError')
          },
        })
      }
    })
    const page = await openTab(context, demo.place())
    await page.keyboard.type('x')
    await stateIs(page, 'Saved')
  })
})

describe('what one can do', () => {
  test('the link is copied, and the one to read only', async () => {
    const { url } = demo
    const context = await openContext(demo.browser, onTestFinished, NARROW)
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    const page = await openTab(context, `${url}d/a%20b`)
    await page.clock.install()
    await page.getByRole('button', { name: 'Copy link' }).click()
    // Once more while it still says so: then, too, the button gets its own words back.
    await page.getByRole('button', { name: 'Copied' }).click()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${url}d/a%20b`)
    await page.clock.runFor(5_000)
    await page.getByRole('button', { name: 'Copy link' }).waitFor()
    await page.getByRole('button', { name: 'Copy read-only link' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${url}d/a%20b?access=read`)
  })

  test('without a clipboard the link is shown', async () => {
    const url = demo.place()
    const page = await openPage(demo.browser, url, onTestFinished, NARROW)
    await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }))
    const [dialog] = await Promise.all([
      page.waitForEvent('dialog').then(async (shown) => {
        const value = shown.defaultValue()
        await shown.dismiss()
        return value
      }),
      page.getByRole('button', { name: 'Copy link' }).click(),
    ])
    expect(dialog).toBe(url)
  })

  test('the read-only link shows the text and every change, and takes none', async () => {
    const { url, page } = await startPage(NARROW)
    await page.keyboard.insertText('to read')
    const reader = await openPage(demo.browser, `${url}?access=read`, onTestFinished, WIDE)
    await textIs(reader, 'to read')
    await stateIs(reader, 'Read-only')
    await page.keyboard.insertText(' on')
    await textIs(reader, 'to read on')
    await textarea(reader).press('x')
    expect(await textarea(reader).inputValue()).toBe('to read on')
    expect(await textarea(reader).isEditable()).toBe(false)
    for (const name of ['Undo', 'Redo', 'Side by side', 'Load 1 MB', 'Go offline']) {
      expect([name, await reader.getByRole('button', { name }).count()]).toEqual([name, 0])
    }
  })

  test('undo and redo by button, which keep the focus and say when there is nothing to do', async () => {
    const { page } = await startPage(NARROW)
    const undo = page.getByRole('button', { name: 'Undo' })
    const redo = page.getByRole('button', { name: 'Redo' })
    const disabled = async () => [await undo.getAttribute('aria-disabled'), await redo.getAttribute('aria-disabled')]
    expect(await disabled()).toEqual(['true', 'true'])
    await page.keyboard.type('word')
    expect(await disabled()).toEqual(['false', 'true'])
    await undo.click()
    await textIs(page, '')
    expect(await disabled()).toEqual(['true', 'false'])
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await textIs(page, 'word')
  })

  test('a megabyte is loaded into a document of one’s own, reaches others, and is one step to take back', async () => {
    const { url } = demo
    const page = await openPage(demo.browser, `${url}new`, onTestFinished, NARROW)
    const load = page.getByRole('button', { name: 'Load 1 MB' })
    await load.waitFor()
    await page.keyboard.type('mine')
    await stateIs(page, 'Saved')
    await page.reload()
    await textarea(page).focus()
    await load.click()
    const other = await openPage(demo.browser, page.url(), onTestFinished, NARROW)
    await other.waitForFunction(() => document.querySelector('textarea')?.value.length === 1_000_004)
    await page.getByRole('button', { name: 'Undo' }).click()
    await Promise.all([textIs(page, 'mine'), textIs(other, 'mine')])
    expect(await other.getByRole('button', { name: 'Load 1 MB' }).count()).toBe(0)
    await other.goto(url)
    await stateIs(other, 'Saved')
    expect(await other.getByRole('button', { name: 'Load 1 MB' }).count()).toBe(0)
  })

  test('the text is downloaded as a file with the document’s name', async () => {
    const { page } = await startPage(NARROW, `${demo.url}d/notes`)
    await page.keyboard.insertText('one\ntwo 😀')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download .txt' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('notes.txt')
    expect(await readFile(await download.path(), 'utf8')).toBe('one\ntwo 😀')
  })

  test('cursors are hidden in all editors, also in one that is opened then, and shown again', async () => {
    const { page } = await startPage()
    await page.keyboard.type('hello')
    await textarea(page, 1).focus()
    const label = pane(page, 1).getByText(await nameIn(page, 0), { exact: true })
    await label.waitFor()
    await page.getByRole('button', { name: 'Hide cursors' }).click()
    await label.waitFor({ state: 'hidden' })
    const split = page.getByRole('button', { name: 'Side by side' })
    await split.click()
    await split.click()
    await textarea(page, 0).pressSequentially(' there')
    await textIs(page, 'hello there', 1)
    expect(await label.isVisible()).toBe(false)
    await page.getByRole('button', { name: 'Show cursors' }).click()
    await textarea(page, 0).pressSequentially('!')
    await label.waitFor()
  })

  test('the code that the page shows is the code that it runs, in at most ten lines', async () => {
    const { page } = await startPage(NARROW)
    await page.getByText('The code behind each editor here').click()
    const shown = await page.locator('pre').innerText()
    expect(shown.trim()).toBe((await readFile(SHARE, 'utf8')).trim())
    expect(shown.trim().split('\n').length).toBeLessThanOrEqual(10)
  })
})
