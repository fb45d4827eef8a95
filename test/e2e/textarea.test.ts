import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import type { Browser, CDPSession, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { bundleScript } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { openPage, select } from '../support/demo.ts'
import { runs } from '../support/runs.ts'
import type {} from './harness/index.ts'

let browser: Browser
let script: string

beforeAll(async () => {
  script = await bundleScript(fileURLToPath(new URL('harness/index.ts', import.meta.url)), 'harness')
  browser = await launchChromium()
})

afterAll(() => browser.close())

/** A page with a focused textarea that is bound to a text with this content. */
async function openScene(text: string): Promise<Page> {
  const page = await openPage(browser, 'about:blank', onTestFinished)
  await page.addScriptTag({ content: script })
  await page.evaluate((initial) => harness.begin(initial), text)
  return page
}

/** What the element shows, and what the shared text is. */
function texts(page: Page): Promise<{ shown: string; shared: string }> {
  return page.evaluate(() => ({ shown: harness.scene.element.value, shared: harness.scene.mine.toString() }))
}

function selection(page: Page): Promise<[number, number, string]> {
  return page.evaluate(() => harness.scene.selection)
}

/** Input methods, as Chromium's own protocol drives them. */
async function inputMethod(
  page: Page,
): Promise<{ compose(text: string): Promise<void>; commit(text: string): Promise<void> }> {
  const session: CDPSession = await page.context().newCDPSession(page)
  return {
    compose: async (text) => {
      await session.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length })
    },
    commit: async (text) => {
      await session.send('Input.insertText', { text })
    },
  }
}

describe('a local edit', () => {
  test.each([
    ['typing at the start of a run of one letter', 0, 'a', [{ insert: 'a' }]],
    ['Backspace inside of it', 3, 'Backspace', [{ retain: 2 }, { delete: 1 }]],
    ['Delete inside of it', 1, 'Delete', [{ retain: 1 }, { delete: 1 }]],
  ])('%s is one change at the caret', async (_title, caret, key, delta) => {
    const page = await openScene('aaaa')
    await select(page, caret)
    await page.keyboard.press(key)
    expect(await page.evaluate(() => harness.scene.deltas)).toEqual([delta])
  })

  test('replacing a selection is one change', async () => {
    const page = await openScene('one two three')
    await select(page, 4, 7)
    await page.keyboard.insertText('2')
    expect(await page.evaluate(() => harness.scene.deltas)).toEqual([[{ retain: 4 }, { delete: 3 }, { insert: '2' }]])
  })

  test('replacing an emoji by one that shares half of it leaves no broken character', async () => {
    const page = await openScene('a😀b')
    await select(page, 1, 3)
    await page.keyboard.insertText('😁')
    expect(await texts(page)).toEqual({ shown: 'a😁b', shared: 'a😁b' })
  })

  test('dragging a selection elsewhere moves it', async () => {
    const page = await openScene('move me: aaaa')
    await select(page, 0, 4)
    const box = await page.locator('#text').boundingBox()
    if (box === null) throw new Error('the textarea is not shown')
    await page.mouse.move(box.x + 12, box.y + 10)
    await page.mouse.down()
    await page.mouse.move(box.x + 60, box.y + 12, { steps: 5 })
    await page.mouse.move(box.x + 120, box.y + 12, { steps: 5 })
    await page.mouse.up()
    const { shown, shared } = await texts(page)
    expect(shared).toBe(shown)
    expect(shown).not.toBe('move me: aaaa')
    expect([...shown].sort()).toEqual([...'move me: aaaa'].sort())
  })
})

describe('a remote edit', () => {
  test.each([
    ['before the caret moves it', 3, 3, 1, [5, 5]],
    ['at the caret goes behind it', 3, 3, 3, [3, 3]],
    ['behind the caret leaves it', 3, 3, 5, [3, 3]],
    ['at the start of a selection stays out of it', 2, 4, 2, [4, 6]],
    ['inside of a selection becomes part of it', 2, 4, 3, [2, 6]],
    ['at the end of a selection stays out of it', 2, 4, 4, [2, 4]],
  ])('%s', async (_title, start, end, at, expected) => {
    const page = await openScene('abcdef')
    await select(page, start, end)
    await page.evaluate((index) => harness.scene.remotely((text) => text.insert(index, 'XX')), at)
    expect((await selection(page)).slice(0, 2)).toEqual(expected)
  })

  test('that deletes what is selected leaves a caret there', async () => {
    const page = await openScene('abcdef')
    await select(page, 2, 4)
    await page.evaluate(() => harness.scene.remotely((text) => text.delete(1, 4)))
    expect((await selection(page)).slice(0, 2)).toEqual([1, 1])
  })

  test('keeps the direction of a selection, and the selection of an element without focus', async () => {
    const page = await openScene('abcdef')
    await page.evaluate(() => {
      const { element } = harness.scene
      element.setSelectionRange(2, 4, 'backward')
      element.blur()
    })
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'XX')))
    expect(await selection(page)).toEqual([4, 6, 'backward'])
  })

  test('in several places of one transaction leaves the caret on its character', async () => {
    const page = await openScene('abcdef')
    await select(page, 3)
    await page.evaluate(() =>
      harness.scene.remotely((text) => {
        text.insert(6, 'Z')
        text.delete(1, 1)
        text.insert(0, 'XYZ')
      }),
    )
    expect(await texts(page)).toEqual({ shown: 'XYZacdefZ', shared: 'XYZacdefZ' })
    expect((await selection(page)).slice(0, 2)).toEqual([5, 5])
  })

  test('does not scroll the element', async () => {
    const page = await openScene('line\n'.repeat(200))
    await page.evaluate(() => {
      harness.scene.element.scrollTop = 500
    })
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(text.length, 'more\n')))
    expect(await page.evaluate(() => harness.scene.element.scrollTop)).toBe(500)
  })

  test('counts an embedded object as one character', async () => {
    const page = await openScene('ab')
    await page.evaluate(() => harness.scene.remotely((text) => text.insertEmbed(1, { image: 'a.png' })))
    await select(page, 3)
    await page.keyboard.type('c')
    expect(await texts(page)).toEqual({ shown: 'a\uFFFCbc', shared: 'abc' })
  })
})

describe('an input method', () => {
  test('goes on composing while remote edits wait, and all is there in the end', async () => {
    const page = await openScene('ab')
    const { compose, commit } = await inputMethod(page)
    await select(page, 1)
    await compose('に')
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'XX')))
    expect(await texts(page)).toEqual({ shown: 'aにb', shared: 'XXaにb' })
    await compose('にほ')
    expect(await texts(page)).toEqual({ shown: 'aにほb', shared: 'XXaにほb' })
    await page.evaluate(() => harness.scene.remotely((text) => text.delete(2, 1)))
    await commit('日本')
    expect(await texts(page)).toEqual({ shown: 'XX日本b', shared: 'XX日本b' })
    expect((await selection(page)).slice(0, 2)).toEqual([4, 4])
  })

  test('that gives up leaves what others did meanwhile', async () => {
    const page = await openScene('ab')
    const { compose } = await inputMethod(page)
    await select(page, 1)
    await compose('に')
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(1, 'XX')))
    await compose('')
    await page.evaluate(() => harness.scene.element.blur())
    expect(await texts(page)).toEqual({ shown: 'aXXb', shared: 'aXXb' })
  })

  test('whose composition is deleted as a whole lets remote edits in with the next key', async () => {
    const page = await openScene('ab')
    const { compose } = await inputMethod(page)
    await compose('に')
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(2, 'X')))
    await page.keyboard.press('Backspace')
    await page.keyboard.press('Control')
    expect(await texts(page)).toEqual({ shown: 'abX', shared: 'abX' })
  })
})

describe('an observer that answers an edit with another edit', () => {
  /** Yjs puts the second edit into both deltas for observers that come after this one. */
  async function openAnsweringScene(): Promise<Page> {
    const page = await openScene('ab')
    await page.evaluate(() => {
      const { binding, mine, element } = harness.scene
      binding.destroy()
      mine.observe(() => {
        if (!mine.toString().startsWith('!')) mine.insert(0, '!')
      })
      harness.bindTextarea(element, mine)
    })
    await select(page, 1)
    return page
  }

  test('leaves the caret on its character', async () => {
    const page = await openAnsweringScene()
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'X')))
    await page.keyboard.type('c')
    expect(await texts(page)).toEqual({ shown: '!Xacb', shared: '!Xacb' })
  })

  test('leaves a composition in its place', async () => {
    const page = await openAnsweringScene()
    const { compose, commit } = await inputMethod(page)
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, '!')))
    await compose('に')
    await page.evaluate(() => harness.scene.remotely((text) => text.delete(0, 1)))
    await compose('にほ')
    await commit('日本')
    expect(await texts(page)).toEqual({ shown: '!a日本b', shared: '!a日本b' })
  })
})

describe('a text with carriage returns', () => {
  test('keeps each of them through edits of both sides', async () => {
    const page = await openScene('one\r\ntwo\r\nthree')
    await select(page, 7)
    await page.keyboard.type('!')
    expect(await texts(page)).toEqual({ shown: 'one\ntwo!\nthree', shared: 'one\r\ntwo!\r\nthree' })
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'zero\r\n')))
    expect((await selection(page)).slice(0, 2)).toEqual([13, 13])
    await page.keyboard.press('Delete')
    expect(await texts(page)).toEqual({ shown: 'zero\none\ntwo!three', shared: 'zero\r\none\r\ntwo!three' })
  })

  test('shows what a deletion makes of a return and a line feed that now meet', async () => {
    const page = await openScene('a\rb\nc')
    await select(page, 3)
    await page.keyboard.press('Backspace')
    expect(await texts(page)).toEqual({ shown: 'a\nc', shared: 'a\r\nc' })
  })
})

describe('undo', () => {
  test('takes back one’s own edits and no one else’s, by key and by menu, and brings them back', async () => {
    const page = await openScene('start ')
    await select(page, 6)
    await page.keyboard.type('mine')
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'theirs ')))
    await page.keyboard.press('ControlOrMeta+z')
    expect((await texts(page)).shown).toBe('theirs start ')
    await page.keyboard.press('ControlOrMeta+Shift+z')
    expect((await texts(page)).shown).toBe('theirs start mine')
    await page.evaluate(() => harness.scene.binding.undo())
    expect((await texts(page)).shown).toBe('theirs start ')
    await page.evaluate(() => harness.scene.binding.redo())
    expect(await texts(page)).toEqual({ shown: 'theirs start mine', shared: 'theirs start mine' })
  })

  test('with nothing to take back changes nothing', async () => {
    const page = await openScene('start')
    await page.keyboard.press('ControlOrMeta+z')
    expect(await texts(page)).toEqual({ shown: 'start', shared: 'start' })
  })
})

describe('what the page does to the element', () => {
  test('resetting the form leaves the text and the caret', async () => {
    const page = await openScene('shared')
    await page.evaluate(async () => {
      const { element } = harness.scene
      const form = document.createElement('form')
      element.replaceWith(form)
      form.append(element)
      element.focus()
      element.setSelectionRange(2, 4)
      form.reset()
      harness.scene.remotely((text) => text.insert(0, 'X'))
    })
    await page.waitForFunction(() => harness.scene.element.value === 'Xshared')
    expect((await texts(page)).shared).toBe('Xshared')
    expect((await selection(page)).slice(0, 2)).toEqual([3, 5])
  })

  test('writing the value is an edit, taken with the next event', async () => {
    const page = await openScene('one two')
    await page.evaluate(() => {
      harness.scene.element.value = 'one 2'
      harness.scene.remotely((text) => text.insert(0, 'zero '))
    })
    expect(await texts(page)).toEqual({ shown: 'zero one 2', shared: 'zero one 2' })
  })

  test('what the element held before it was bound is replaced', async () => {
    const page = await openScene('shared')
    const value = await page.evaluate(() => {
      const element = document.createElement('textarea')
      element.value = 'restored by the browser'
      harness.bindTextarea(element, harness.scene.mine)
      return element.value
    })
    expect(value).toBe('shared')
    expect((await texts(page)).shared).toBe('shared')
  })

  test('two elements may show one text', async () => {
    const page = await openScene('shared')
    await page.evaluate(() => {
      const second = document.createElement('textarea')
      second.id = 'second'
      document.body.append(second)
      harness.bindTextarea(second, harness.scene.mine)
    })
    await page.locator('#second').fill('edited')
    expect(await texts(page)).toEqual({ shown: 'edited', shared: 'edited' })
    await page.locator('#text').press('End')
    await page.keyboard.type('!')
    expect(await page.locator('#second').inputValue()).toBe('edited!')
  })

  test('a destroyed binding neither writes nor reads', async () => {
    const page = await openScene('shared')
    await page.evaluate(() => harness.scene.binding.destroy())
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'X')))
    await page.keyboard.type('Y')
    const { shown, shared } = await texts(page)
    expect([shown, shared]).toEqual([shown.replace('X', ''), 'Xshared'])
    expect(shown).toContain('Y')
  })
})

describe('any sequence of edits', () => {
  interface Editor {
    readonly page: Page
    readonly compose: (text: string) => Promise<void>
    readonly commit: (text: string) => Promise<void>
  }
  type Step = (editor: Editor) => Promise<void>

  /** A step that fast-check prints as `title` when a sequence fails. */
  function step(title: string, run: Step): Step {
    return Object.assign(run, { [fc.toStringMethod]: () => title })
  }

  const place = fc.double({ min: 0, max: 1, noNaN: true })
  const range = fc.record({ at: place, length: fc.nat(3) })
  const steps: fc.Arbitrary<Step> = fc.oneof(
    fc
      .constantFrom('a', 'b', '😀', '😁', 'word ')
      .map((text) => step(`type ${text}`, ({ page }) => page.keyboard.insertText(text))),
    fc
      .constantFrom('Backspace', 'Delete', 'Enter', 'a', 'ControlOrMeta+z', 'ControlOrMeta+y')
      .map((key) => step(`press ${key}`, ({ page }) => page.keyboard.press(key))),
    fc.constantFrom('に', 'にほ', '').map((text) => step(`compose ${text}`, ({ compose }) => compose(text))),
    fc.constantFrom('日', '日本').map((text) => step(`commit ${text}`, ({ commit }) => commit(text))),
    range.map((where) =>
      step(`select ${fc.stringify(where)}`, ({ page }) => page.evaluate((at) => harness.scene.select(at), where)),
    ),
    fc
      .tuple(range, fc.constantFrom('', 'X', '😂', '\r\n'))
      .map(([where, insert]) =>
        step(`remotely ${fc.stringify({ ...where, insert })}`, ({ page }) =>
          page.evaluate((edit) => harness.scene.replaceRemotely(edit), { ...where, insert }),
        ),
      ),
    fc.constant(step('exchange', ({ page }) => page.evaluate(() => harness.scene.exchange()))),
  )

  test('by keys, input method, undo and others: all texts are one, and the element shows it', async () => {
    const page = await openScene('')
    const editor: Editor = { page, ...(await inputMethod(page)) }
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 15 }), async (sequence) => {
        await page.evaluate(() => harness.begin('one 😀\r\ntwo\r\n'))
        for (const run of sequence) await run(editor)
        const end = await page.evaluate(() => {
          harness.scene.element.blur()
          harness.scene.exchange()
          const { element, mine, theirs } = harness.scene
          return { shown: element.value, mine: mine.toString(), theirs: theirs.toString() }
        })
        expect(end.theirs).toBe(end.mine)
        expect(end.shown).toBe(end.mine.replaceAll(/\r\n?/g, '\n'))
        expect(end.mine).not.toContain('\uFFFD')
      }),
      { numRuns: runs(60) },
    )
  })
})
