import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { drag, select, selection, setStage, texts } from './harness/stage.ts'

const stage = setStage()

/** Lines of different lengths, some of them longer than the element is wide. */
function lines(count: number): string {
  return Array.from({ length: count }, (_, n) => `line ${n}${' goes on'.repeat(n % 7 === 0 ? 12 : 0)}`).join('\n')
}

const SCROLLING = { style: 'width: 400px; height: 200px; line-height: 20px' }

/** Where the line of an offset is, in pixels below the element's upper edge; what is found at a few places there. */
function firstVisibleLine(page: Page): Promise<{ text: string; top: number }> {
  return page.evaluate(() => {
    const { element } = harness.scene
    const box = element.getBoundingClientRect()
    const position = document.caretPositionFromPoint(box.left + 4, box.top + 8)
    const { value } = element
    if (position === null) throw new Error('nothing is shown there')
    const text = value.slice(position.offset, position.offset + 30)
    return { text, top: (position.getClientRect()?.top ?? 0) - box.top }
  })
}

describe('a remote edit', () => {
  test.each([
    ['before the caret moves it', 3, 3, 1, [5, 5]],
    ['at the caret goes behind it', 3, 3, 3, [3, 3]],
    ['behind the caret leaves it', 3, 3, 5, [3, 3]],
    ['at the start of a selection stays out of it', 2, 4, 2, [4, 6]],
    ['inside of a selection becomes part of it', 2, 4, 3, [2, 6]],
    ['at the end of a selection stays out of it', 2, 4, 4, [2, 4]],
  ])('%s', async (_title, start, end, at, expected) => {
    const page = await stage.open('abcdef')
    await select(page, start, end)
    await page.evaluate((index) => harness.scene.remotely((text) => text.insert(index, 'XX')), at)
    expect(await selection(page)).toEqual(expected)
  })

  test('that deletes what is selected leaves a caret there', async () => {
    const page = await stage.open('abcdef')
    await select(page, 2, 4)
    await page.evaluate(() => harness.scene.remotely((text) => text.delete(1, 4)))
    expect(await selection(page)).toEqual([1, 1])
  })

  test('that deletes what is around the caret leaves it where that was', async () => {
    const page = await stage.open('abcdef')
    await select(page, 3)
    await page.evaluate(() => harness.scene.remotely((text) => text.delete(1, 4)))
    await page.keyboard.type('X')
    expect(await texts(page)).toEqual({ shown: 'aXf', shared: 'aXf' })
  })

  test('keeps the direction of a selection, and the selection of an element without focus', async () => {
    const page = await stage.open('abcdef')
    await page.evaluate(() => {
      const { element } = harness.scene
      element.setSelectionRange(2, 4, 'backward')
      element.blur()
    })
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'XX')))
    expect(await page.evaluate(() => harness.scene.selection)).toEqual([4, 6, 'backward'])
  })

  test('leaves the selection alone where that would take the focus, as in Safari, and sets it right with the focus', async () => {
    const page = await stage.open('abcdef')
    const [touches, active] = await page.evaluate(async () => {
      Object.defineProperty(navigator, 'vendor', { value: 'Apple Computer, Inc.' })
      const { element } = harness.scene
      const prototype = HTMLTextAreaElement.prototype
      element.setSelectionRange(2, 4, 'backward')
      const other = document.createElement('input')
      document.body.append(other)
      other.focus()
      let touches = 0
      for (const name of ['setSelectionRange', 'setRangeText', 'select'] as const) {
        Object.defineProperty(element, name, {
          configurable: true,
          value: (...values: []) => {
            touches += 1
            return Reflect.apply(prototype[name], element, values)
          },
        })
      }
      await harness.scene.remotely((text) => text.insert(0, 'XX'))
      await harness.scene.remotely((text) => text.insert(8, 'YY'))
      await harness.scene.remotely((text) => text.insert(4, 'ZZ'))
      const before = touches
      const active = document.activeElement?.localName
      element.focus()
      return [before, active]
    })
    expect([touches, active]).toEqual([0, 'input'])
    expect(await page.evaluate(() => harness.scene.selection)).toEqual([6, 8, 'backward'])
  })

  test('leaves a selection that the application made in an element without focus, as in Safari', async () => {
    const page = await stage.open('abcdef')
    await page.evaluate(async () => {
      Object.defineProperty(navigator, 'vendor', { value: 'Apple Computer, Inc.' })
      const { element } = harness.scene
      element.setSelectionRange(2, 2)
      element.blur()
      await harness.scene.remotely((text) => text.insert(0, 'XX'))
      element.setSelectionRange(5, 6)
      await harness.scene.remotely((text) => text.insert(0, 'YY'))
      element.focus()
    })
    expect(await selection(page)).toEqual([7, 8])
  })

  test('in several places of one transaction leaves the caret on its character', async () => {
    const page = await stage.open('abcdef')
    await select(page, 3)
    await page.evaluate(() =>
      harness.scene.remotely((text) => {
        text.insert(6, 'Z')
        text.delete(1, 1)
        text.insert(0, 'XYZ')
      }),
    )
    expect(await texts(page)).toEqual({ shown: 'XYZacdefZ', shared: 'XYZacdefZ' })
    expect(await selection(page)).toEqual([5, 5])
  })

  test('arriving between two keys of one frame goes where it belongs, and so do the keys', async () => {
    const page = await stage.open('abcdef')
    await select(page, 3)
    await page.evaluate(async () => {
      const { element } = harness.scene
      const type = (letter: string) => {
        element.setRangeText(letter, element.selectionEnd ?? 0, element.selectionEnd ?? 0, 'end')
        element.dispatchEvent(new InputEvent('input', { inputType: 'insertText', bubbles: true }))
      }
      type('1')
      void harness.scene.remotely((text) => text.insert(0, 'XX'))
      type('2')
      void harness.scene.remotely((text) => text.delete(4, 1))
      type('3')
      await harness.nextFrame()
    })
    expect(await texts(page)).toEqual({ shown: 'XXab123def', shared: 'XXab123def' })
    expect(await selection(page)).toEqual([7, 7])
  })

  test('while a selection is made by mouse waits, and the selection is what the mouse went over', async () => {
    const page = await stage.open('one two three four five', { style: 'width: 600px; font: 16px monospace' })
    const selectByMouse = async () => {
      await drag(page, [60, 10], [200, 10])
      await page.evaluate(() => harness.nextFrame())
      return page.evaluate(() => {
        const { value, selectionStart, selectionEnd } = harness.scene.element
        return value.slice(selectionStart ?? 0, selectionEnd ?? 0)
      })
    }
    const selected = await selectByMouse()
    await page.evaluate(() => {
      const element: HTMLElement = harness.scene.element
      element.addEventListener('mousemove', ({ buttons }) => {
        if (buttons === 1) void harness.scene.remotely((text) => text.insert(0, 'X'))
      })
      harness.scene.element.setSelectionRange(0, 0)
    })
    expect(await selectByMouse()).toBe(selected)
    const { shown, shared } = await texts(page)
    expect(shown).toBe(shared)
    expect(shown).toMatch(/^X{5,}one two three four five$/)
  })

  test('counts an embedded object as one character', async () => {
    const page = await stage.open('ab')
    await page.evaluate(() => harness.scene.remotely((text) => text.insertEmbed(1, { image: 'a.png' })))
    await select(page, 3)
    await page.keyboard.type('c')
    expect(await texts(page)).toEqual({ shown: 'a\uFFFCbc', shared: 'abc' })
  })

  test('raises an input event that bubbles, after the value is there, and none is taken for an edit', async () => {
    const page = await stage.open('abc')
    const heard = await page.evaluate(async () => {
      const seen: unknown[] = []
      document.addEventListener('input', ({ target, isTrusted }) => {
        if (target instanceof HTMLTextAreaElement) seen.push([target.value, isTrusted])
      })
      await harness.scene.remotely((text) => text.insert(0, 'X'))
      return seen
    })
    expect(heard).toEqual([['Xabc', false]])
    expect(await page.evaluate(() => harness.scene.deltas.length)).toBe(1)
  })

  test('and a local one are told to who shows something over the element, who can place the others', async () => {
    const page = await stage.open('one\r\ntwo')
    await select(page, 7)
    await page.keyboard.type('!')
    const places = await page.evaluate(async () => {
      const shown = harness.scene.remotely((text) => text.insert(0, 'XX'))
      const { binding } = harness.scene
      const before = [0, 2, 5, 7, 10].map((index) => binding.toShown(index))
      await shown
      return [before, [0, 2, 5, 7, 10].map((index) => binding.toShown(index))]
    })
    expect(places).toEqual([
      [0, 0, 3, 4, 7],
      [0, 2, 5, 6, 9],
    ])
    expect(await page.evaluate(() => harness.scene.splices)).toEqual([
      { index: 7, remove: 0, insert: '!' },
      { index: 0, remove: 0, insert: 'XX' },
    ])
  })

  test('in a page that is hidden is shown all the same', async () => {
    const page = await stage.open('abc')
    await page.evaluate(async () => {
      Object.defineProperty(document, 'hidden', { value: true })
      // What Chromium does in a hidden page: frames do not come.
      window.requestAnimationFrame = () => 0
      harness.scene.replaceRemotely({ at: 0, length: 0, insert: 'X' })
    })
    await page.waitForFunction(() => harness.scene.element.value === 'Xabc', null, { polling: 10 })
  })

  test('that came just before the page was hidden is shown with that', async () => {
    const page = await stage.open('abc')
    const value = await page.evaluate(() => {
      window.requestAnimationFrame = () => 0
      harness.scene.replaceRemotely({ at: 0, length: 0, insert: 'X' })
      document.dispatchEvent(new Event('visibilitychange'))
      return harness.scene.element.value
    })
    expect(value).toBe('Xabc')
  })
})

describe('what one reads', () => {
  test.each([
    ['five lines that come in above', (text: string) => `${'new\n'.repeat(5)}${text}`],
    ['a long line that comes in above', (text: string) => `${'word '.repeat(100)}\n${text}`],
    ['five lines that come in below', (text: string) => `${text}${'\nnew'.repeat(5)}`],
    ['lines that come in above and below', (text: string) => `${'new\n'.repeat(7)}${text}${'\nnew'.repeat(5)}`],
    ['lines that go above', (text: string) => text.slice(text.indexOf('line 9'))],
  ])('is not moved by %s', async (_title, change) => {
    const text = lines(100)
    const page = await stage.open(text, SCROLLING)
    await page.evaluate(() => harness.scene.element.scrollTo(0, 907))
    const before = await firstVisibleLine(page)
    await page.evaluate((next) => {
      const { mine } = harness.scene
      const old = mine.toString()
      const kept = old.length < next.length ? next.indexOf(old) : -1
      return harness.scene.remotely((shared) => {
        if (kept === -1) return shared.delete(0, old.length - next.length)
        shared.insert(old.length, next.slice(kept + old.length))
        shared.insert(0, next.slice(0, kept))
      })
    }, change(text))
    expect((await texts(page)).shown).toBe(change(text))
    expect(await firstVisibleLine(page)).toEqual(before)
  })

  test('at the very top gives way to what comes in there', async () => {
    const page = await stage.open(lines(100), SCROLLING)
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'news\n')))
    expect(await page.evaluate(() => harness.scene.element.scrollTop)).toBe(0)
  })

  test('in a shadow tree is not moved either', async () => {
    const page = await stage.open(lines(100), SCROLLING)
    await page.evaluate(() => {
      const host = document.createElement('div')
      document.body.append(host)
      host.attachShadow({ mode: 'open' }).append(harness.scene.element)
      harness.scene.element.scrollTo(0, 900)
    })
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'new\n'.repeat(5))))
    expect(await page.evaluate(() => harness.scene.element.scrollTop)).toBe(1000)
  })

  test('is not moved where something covers the element, when the change is below', async () => {
    const page = await stage.open(lines(100), SCROLLING)
    await page.evaluate(() => {
      harness.scene.element.scrollTo(0, 900)
      const cover = document.createElement('div')
      cover.style.cssText = 'position: fixed; inset: 0'
      document.body.append(cover)
    })
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(text.length, '\nnew')))
    expect(await page.evaluate(() => harness.scene.element.scrollTop)).toBe(900)
  })
})
