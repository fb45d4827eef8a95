import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { select, setStage } from './harness/stage.ts'

const stage = setStage()

/** What others are told: the ends in the shared text as it is now, or null. */
async function announced(page: Page): Promise<{ anchor: number; head: number } | null> {
  return page.evaluate(() => {
    const { awareness, mine } = harness.scene
    const cursor: unknown = awareness.getLocalState()?.cursor
    if (cursor === null || cursor === undefined || mine.doc === null) return null
    // As it comes to others: by JSON.
    const { anchor, head } = JSON.parse(JSON.stringify(cursor))
    const { doc } = mine
    const place = (json: unknown) =>
      harness.Y.createAbsolutePositionFromRelativePosition(harness.Y.createRelativePositionFromJSON(json), doc)
    return { anchor: place(anchor)?.index ?? -1, head: place(head)?.index ?? -1 }
  })
}

/** How often the local state has changed. */
function changes(page: Page): Promise<number> {
  return page.evaluate(() => harness.scene.awareness.meta.get(harness.scene.awareness.clientID)?.clock ?? 0)
}

describe('the selection', () => {
  test('is announced in places of the shared text, which may be ahead of the element', async () => {
    const page = await stage.open('one\r\ntwo')
    await select(page, 4, 6)
    await expect.poll(() => announced(page)).toEqual({ anchor: 5, head: 7 })
    await page.evaluate(() => harness.scene.element.setSelectionRange(4, 6, 'backward'))
    await expect.poll(() => announced(page)).toEqual({ anchor: 7, head: 5 })
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'XX')))
    await expect.poll(() => announced(page)).toEqual({ anchor: 9, head: 7 })
  })

  test('is announced when it changed, and once per frame', async () => {
    const page = await stage.open('one two three')
    await select(page, 3)
    await expect.poll(() => announced(page)).toEqual({ anchor: 3, head: 3 })
    const before = await changes(page)
    await page.evaluate(async () => {
      for (let n = 4; n < 9; n++) {
        harness.scene.element.setSelectionRange(n, n)
        document.dispatchEvent(new Event('selectionchange'))
      }
      await harness.nextFrame()
      await harness.scene.remotely((text) => text.insert(0, 'X'))
    })
    await expect.poll(() => announced(page)).toEqual({ anchor: 9, head: 9 })
    expect((await changes(page)) - before).toBe(1)
  })

  test('follows what is typed', async () => {
    const page = await stage.open('')
    await page.keyboard.type('abc')
    await expect.poll(() => announced(page)).toEqual({ anchor: 3, head: 3 })
  })

  test('stays announced while the element has no focus, until another element gets it', async () => {
    const page = await stage.open('one two')
    await select(page, 3)
    await expect.poll(() => announced(page)).toEqual({ anchor: 3, head: 3 })
    await page.evaluate(() => {
      const { element, mine, awareness } = harness.scene
      const second = document.createElement('textarea')
      second.id = 'second'
      document.body.append(second)
      harness.bindTextarea(second, mine, { awareness })
      element.blur()
    })
    await expect.poll(() => announced(page)).toEqual({ anchor: 3, head: 3 })
    await page.locator('#second').focus()
    await page.keyboard.press('End')
    await expect.poll(() => announced(page)).toEqual({ anchor: 7, head: 7 })
    await page.evaluate(async () => {
      harness.scene.element.setSelectionRange(1, 1)
      document.dispatchEvent(new Event('selectionchange'))
      await harness.nextFrame()
    })
    await expect.poll(() => announced(page)).toEqual({ anchor: 7, head: 7 })
    await page.evaluate(() => harness.scene.binding.destroy())
    await expect.poll(() => announced(page)).toEqual({ anchor: 7, head: 7 })
  })

  test('is withdrawn with the binding', async () => {
    const page = await stage.open('one')
    await select(page, 1)
    await expect.poll(() => announced(page)).not.toBeNull()
    await page.evaluate(() => harness.scene.binding.destroy())
    await expect.poll(() => announced(page)).toBeNull()
  })

  test('is withdrawn when the page goes and announced again when it comes back', async () => {
    const page = await stage.open('one')
    await select(page, 1)
    await expect.poll(() => announced(page)).toEqual({ anchor: 1, head: 1 })
    const gone = await page.evaluate(() => {
      window.dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))
      return harness.scene.awareness.getLocalState()?.cursor
    })
    expect(gone).toBeNull()
    await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })))
    await expect.poll(() => announced(page)).toEqual({ anchor: 1, head: 1 })
  })

  test('of an element that hides it is not announced', async () => {
    const page = await stage.open('a@b.c', { input: 'email' })
    await page.keyboard.type('x')
    await page.evaluate(() => harness.nextFrame())
    expect(await announced(page)).toBeNull()
  })
})
