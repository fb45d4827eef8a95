import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { drag, select, selection, setStage, texts } from './harness/stage.ts'

const stage = setStage()

const UNDO = 'ControlOrMeta+z'
const REDO = 'ControlOrMeta+Shift+z'

/** Types as one step would, whatever time the keys take. */
async function groupTyping(page: Page): Promise<void> {
  await page.evaluate(() => {
    harness.scene.binding.undoManager.captureTimeout = 1e9
  })
}

/** The text after each of `count` presses. */
async function press(page: Page, key: string, count: number): Promise<string[]> {
  const seen: string[] = []
  for (let n = 0; n < count; n++) {
    await page.keyboard.press(key)
    const { shown, shared } = await texts(page)
    expect(shown).toBe(shared)
    seen.push(shared)
  }
  return seen
}

describe('undo', () => {
  test('takes back one’s own edits and no one else’s, by key and by method, and brings them back', async () => {
    const page = await stage.open('start ')
    await groupTyping(page)
    await select(page, 6)
    await page.keyboard.type('mine')
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'theirs ')))
    expect(await press(page, UNDO, 2)).toEqual(['theirs start ', 'theirs start '])
    expect(await press(page, REDO, 1)).toEqual(['theirs start mine'])
    await page.evaluate(() => harness.scene.binding.undo())
    expect((await texts(page)).shown).toBe('theirs start ')
    await page.evaluate(() => harness.scene.binding.redo())
    expect(await texts(page)).toEqual({ shown: 'theirs start mine', shared: 'theirs start mine' })
  })

  test('leaves what others wrote into one’s own words', async () => {
    const page = await stage.open('')
    await groupTyping(page)
    await page.keyboard.type('mine')
    await page.evaluate(() => {
      harness.scene.exchange()
      return harness.scene.remotely((text) => text.insert(2, 'THEIRS'))
    })
    expect(await press(page, UNDO, 1)).toEqual(['THEIRS'])
    expect(await press(page, REDO, 1)).toEqual(['miTHEIRSne'])
  })

  test.each([['historyUndo', 'historyRedo']])('comes from the menu as well (%s, %s)', async (undo, redo) => {
    const page = await stage.open('')
    await groupTyping(page)
    await page.keyboard.type('mine')
    const ask = (inputType: string) =>
      page.evaluate((type) => {
        const event = new InputEvent('beforeinput', { inputType: type, cancelable: true })
        return { goesOn: harness.scene.element.dispatchEvent(event), text: harness.scene.mine.toString() }
      }, inputType)
    expect(await ask(undo)).toEqual({ goesOn: false, text: '' })
    expect(await ask(redo)).toEqual({ goesOn: false, text: 'mine' })
  })

  test.each([
    ['Control+z', 'Control+y'],
    ['Control+z', 'Control+Shift+z'],
    ['Meta+z', 'Meta+Shift+z'],
  ])('is asked for by %s and %s', async (undo, redo) => {
    const page = await stage.open('')
    await groupTyping(page)
    await page.keyboard.type('mine')
    expect(await press(page, undo, 1)).toEqual([''])
    expect(await press(page, redo, 1)).toEqual(['mine'])
  })

  test.each([
    ['Russian', 'я', 'KeyZ', 90, 'undo'],
    ['Russian, with capitals locked', 'Я', 'KeyZ', 90, 'undo'],
    ['Greek', 'υ', 'KeyY', 89, 'redo'],
    ['Hebrew', 'ז', 'KeyZ', 90, 'undo'],
    ['Arabic', 'ئ', 'KeyZ', 90, 'undo'],
    ['Thai, with Shift', '(', 'KeyZ', 90, 'redo'],
    ['German', 'z', 'KeyY', 90, 'undo'],
    ['German', 'y', 'KeyZ', 89, 'redo'],
    ['French', 'z', 'KeyW', 90, 'undo'],
    ['French', 'w', 'KeyZ', 87, null],
    ['Dvorak', ';', 'KeyZ', 186, null],
    ['Russian', 'н', 'KeyY', 89, 'redo'],
    ['Russian', 'ч', 'KeyX', 88, null],
  ])('by the keys of a layout (%s): %s', async (_layout, key, code, keyCode, command) => {
    const page = await stage.open('')
    const outcome = await page.evaluate(
      ([key, code, keyCode, command]) => {
        const { element, binding, mine } = harness.scene
        document.execCommand('insertText', false, 'mine')
        if (command === 'redo') binding.undo()
        const before = mine.toString()
        const init = { key, code, keyCode, ctrlKey: true, shiftKey: key === '(', cancelable: true }
        const goesOn = element.dispatchEvent(new KeyboardEvent('keydown', init))
        return { goesOn, hasChanged: mine.toString() !== before }
      },
      [key, code, keyCode, command] as const,
    )
    expect(outcome).toEqual({ goesOn: command === null, hasChanged: command !== null })
  })

  test('through the browser’s own command is not the browser’s, which knows nothing of the others', async () => {
    const page = await stage.open('')
    await groupTyping(page)
    await page.keyboard.type('mine')
    await page.evaluate(() => {
      harness.scene.exchange()
      return harness.scene.remotely((text) => text.insert(0, 'theirs '))
    })
    await page.evaluate(() => document.execCommand('undo'))
    const { shown, shared } = await texts(page)
    expect(shown).toBe(shared)
    expect(shared).toMatch(/^theirs /)
  })

  test('with nothing to take back changes nothing', async () => {
    const page = await stage.open('start')
    expect(await press(page, UNDO, 1)).toEqual(['start'])
    expect(await press(page, REDO, 1)).toEqual(['start'])
  })

  test('takes a paste, a cut and a move by mouse as one step each, apart from typing', async () => {
    const page = await stage.open('', { style: 'width: 600px; font: 16px monospace' })
    await groupTyping(page)
    await page.keyboard.type('one two')
    await select(page, 0, 4)
    await page.keyboard.press('ControlOrMeta+x')
    await select(page, 3)
    await page.keyboard.press('ControlOrMeta+v')
    await page.keyboard.type('!')
    expect((await texts(page)).shared).toBe('twoone !')
    await select(page, 0, 3)
    await drag(page, [15, 10], [300, 10])
    expect((await texts(page)).shared).toBe('one !two')
    await page.keyboard.type('?')
    const states = ['one !', 'one !two', 'twoone !', 'twoone ', 'two', 'one two', '']
    expect(await press(page, UNDO, 6)).toEqual(states.slice(1))
    expect(await press(page, REDO, 6)).toEqual(['one two', 'two', 'twoone ', 'twoone !', 'one !two', 'one !?'])
  })

  test('restores the selection that was before the edit, and redo that after it', async () => {
    const page = await stage.open('one two three')
    await page.evaluate(() => harness.scene.element.setSelectionRange(4, 7, 'backward'))
    await page.keyboard.insertText('2')
    await select(page, 0)
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'XX')))
    await press(page, UNDO, 1)
    expect(await page.evaluate(() => harness.scene.selection)).toEqual([6, 9, 'backward'])
    await select(page, 0)
    await press(page, REDO, 1)
    expect(await selection(page)).toEqual([7, 7])
    await press(page, UNDO, 1)
    expect(await page.evaluate(() => harness.scene.selection)).toEqual([6, 9, 'backward'])
  })

  test.each([
    ['above', 20, 2000],
    ['below', 5000, 0],
  ])('scrolls to an edit that is out of sight %s', async (_title, caret, scrollTop) => {
    const text = 'a line of text\n'.repeat(500)
    const page = await stage.open(text, { style: 'width: 400px; height: 200px' })
    await select(page, caret)
    await page.keyboard.insertText('here')
    await page.evaluate((top) => harness.scene.element.scrollTo(0, top), scrollTop)
    await press(page, UNDO, 1)
    const [shownFrom, shownTo] = await page.evaluate(() => {
      const { left, right, top, bottom } = harness.scene.element.getBoundingClientRect()
      const first = document.caretPositionFromPoint(left + 5, top + 5)
      const last = document.caretPositionFromPoint(right - 25, bottom - 5)
      return [first?.offset ?? 0, last?.offset ?? 0]
    })
    expect(shownFrom).toBeLessThanOrEqual(caret)
    expect(shownTo).toBeGreaterThanOrEqual(caret)
  })

  test('of an edit in sight does not scroll', async () => {
    const page = await stage.open('a line of text\n'.repeat(500), { style: 'width: 400px; height: 200px' })
    await page.evaluate(() => harness.scene.element.scrollTo(0, 3000))
    const offset = await page.evaluate(() => {
      const { left, top } = harness.scene.element.getBoundingClientRect()
      return document.caretPositionFromPoint(left + 5, top + 100)?.offset ?? 0
    })
    await select(page, offset)
    await page.keyboard.insertText('here')
    await page.evaluate(() => harness.scene.element.scrollTo(0, 3000))
    await press(page, UNDO, 1)
    expect(await page.evaluate(() => harness.scene.element.scrollTop)).toBe(3000)
  })

  test('of two elements with one undo manager goes through the edits of both, and shows where', async () => {
    const page = await stage.open('')
    await page.evaluate(() => {
      const { mine, binding } = harness.scene
      const second = document.createElement('textarea')
      second.id = 'second'
      document.body.append(second)
      harness.bindTextarea(second, mine, { undoManager: binding.undoManager })
    })
    await page.keyboard.insertText('first ')
    await page.locator('#second').focus()
    await page.keyboard.press('End')
    await page.keyboard.insertText('second')
    for (const [key, text] of [
      [UNDO, 'first '],
      [UNDO, ''],
      [REDO, 'first '],
      [REDO, 'first second'],
    ] as const) {
      await page.keyboard.press(key)
      await page.evaluate(() => harness.nextFrame())
      expect(await texts(page)).toEqual({ shown: text, shared: text })
      expect(await page.locator('#second').inputValue()).toBe(text)
    }
  })
})
