import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { LINES, opacity, setOverlayStage, TEXTAREA } from './harness/overlay-stage.ts'

const stage = setOverlayStage()

describe('who moves out of sight', () => {
  const marks = (page: Page) =>
    page.evaluate(async () => {
      await overlays.painted()
      const view = overlays.scene.element.getBoundingClientRect()
      return overlays.scene.drawn('edge').map((mark) => {
        const { top, bottom, left, right } = mark.getBoundingClientRect()
        const isInside = top >= view.top && bottom <= view.bottom && left >= view.left && right <= view.right
        return { text: mark.textContent, isInside, isLow: top > view.top + view.height / 2 }
      })
    })

  test('is told at that edge, together with others there, for as long as a name is shown', async () => {
    const page = await stage.open(LINES)
    await page.evaluate(
      ([last, middle]) => {
        overlays.scene.element.scrollTop = 100
        overlays.scene.peer('Ann').select(last)
        overlays.scene.peer('Bo').select(last + 1)
        overlays.scene.peer('Cy').select(2)
        overlays.scene.peer('Di').select(middle)
      },
      [LINES.indexOf('line 18'), LINES.indexOf('line 9')] as const,
    )
    expect(await marks(page)).toEqual([
      { text: '↓ Ann, Bo', isInside: true, isLow: true },
      { text: '↑ Cy', isInside: true, isLow: false },
    ])
    const shown = await page.evaluate(() => {
      const [mark] = overlays.scene.drawn('edge')
      const [fading] = mark.getAnimations()
      const before = getComputedStyle(mark).visibility
      fading.finish()
      return [before, getComputedStyle(mark).visibility, fading.effect?.getTiming().duration]
    })
    expect(shown).toEqual(['visible', 'hidden', 1_500])
  })

  test('is told at the side of lines that do not wrap', async () => {
    const page = await stage.open('x'.repeat(300), '<textarea wrap=off cols=30>')
    await page.evaluate(() => overlays.scene.peer('Ann').select(299))
    expect(await marks(page)).toEqual([{ text: '→ Ann', isInside: true, isLow: false }])
  })

  test('is gone to by a press on the mark, which leaves the caret and the focus of the element', async () => {
    const page = await stage.open(LINES)
    await page.evaluate((offset) => {
      overlays.scene.element.focus()
      overlays.scene.element.setSelectionRange(3, 3)
      overlays.scene.peer('Ann').select(offset)
    }, LINES.indexOf('line 18'))
    await page.locator('.edge').click()
    const after = await page.evaluate(async () => {
      await overlays.painted()
      await overlays.painted()
      const { element, drawn } = { element: overlays.scene.element, drawn: overlays.scene.caret('Ann') }
      return [drawn !== null, document.activeElement === element, element.selectionStart]
    })
    expect(after).toEqual([true, true, 3])
    expect(await opacity(page)).toBe(1)
  })

  test('is gone to by a call, inside of a page that scrolls too, and also while nothing is drawn', async () => {
    const page = await stage.open(LINES, `<p style="height:900px">Above</p>${TEXTAREA}`)
    const seen = await page.evaluate(async (offset) => {
      const { overlay } = overlays.scene
      const ann = overlays.scene.peer('Ann')
      ann.select(offset)
      overlay.hidden = true
      await overlays.painted()
      overlay.reveal(ann.clientId)
      await overlays.painted()
      overlay.hidden = false
      await overlays.painted()
      const caret = overlays.scene.caret('Ann')
      return caret !== null && caret.top >= 0 && caret.bottom <= innerHeight
    }, LINES.indexOf('line 18'))
    expect(seen).toBe(true)
  })

  test('is not gone to where there is no caret of that peer', async () => {
    const page = await stage.open(LINES)
    const scrolled = await page.evaluate(async () => {
      const ann = overlays.scene.peer('Ann')
      ann.say({ user: { name: 'Ann' } })
      overlays.scene.overlay.reveal(ann.clientId)
      overlays.scene.overlay.reveal(-1)
      await overlays.painted()
      return [overlays.scene.element.scrollTop, scrollY]
    })
    expect(scrolled).toEqual([0, 0])
  })
})
