import { describe, expect, test } from 'vitest'
import { drag, select, selection, setStage, texts } from './harness/stage.ts'

const stage = setStage()

/** Text without a common beginning or end, 5 KB of it. */
function fiveKilobytes(word: string): string {
  return `${word} `.repeat(Math.ceil(5000 / (word.length + 1))).trim()
}

describe('a local edit', () => {
  test.each([
    ['typing at the start of a run of one letter', 0, 'a', [{ insert: 'a' }]],
    ['Backspace inside of it', 3, 'Backspace', [{ retain: 2 }, { delete: 1 }]],
    ['Delete inside of it', 1, 'Delete', [{ retain: 1 }, { delete: 1 }]],
  ])('%s is one change at the caret', async (_title, caret, key, delta) => {
    const page = await stage.open('aaaa')
    await select(page, caret)
    await page.keyboard.press(key)
    expect(await page.evaluate(() => harness.scene.deltas)).toEqual([delta])
  })

  test('replacing a selection is one change', async () => {
    const page = await stage.open('one two three')
    await select(page, 4, 7)
    await page.keyboard.insertText('2')
    expect(await page.evaluate(() => harness.scene.deltas)).toEqual([[{ retain: 4 }, { delete: 3 }, { insert: '2' }]])
  })

  test('five kilobytes pasted over five others are one deletion and one insertion', async () => {
    const [old, fresh] = [fiveKilobytes('alpha'), fiveKilobytes('omega!')]
    const page = await stage.open(`${fresh}${old}`)
    await select(page, 0, fresh.length)
    await page.keyboard.press('ControlOrMeta+x')
    await select(page, 0, old.length)
    await page.keyboard.press('ControlOrMeta+v')
    expect(await texts(page)).toEqual({ shown: fresh, shared: fresh })
    const pasted = await page.evaluate(() => harness.scene.deltas.at(-1))
    expect(pasted).toEqual([{ delete: expect.any(Number) }, { insert: expect.any(String) }])
    expect(await page.evaluate(() => harness.scene.deltas.length)).toBe(2)
  })

  test('a spelling mended far from the caret is a change there, and the caret stays', async () => {
    const page = await stage.open('teh cat sat on the mat')
    await select(page, 22)
    await page.evaluate(() => {
      const { element } = harness.scene
      element.setRangeText('the', 0, 3, 'preserve')
      element.dispatchEvent(new InputEvent('input', { inputType: 'insertReplacementText', bubbles: true }))
    })
    expect(await page.evaluate(() => harness.scene.deltas)).toEqual([[{ retain: 1 }, { delete: 2 }, { insert: 'he' }]])
    expect(await selection(page)).toEqual([22, 22])
  })

  test('replacing an emoji by one that shares half of it leaves no broken character', async () => {
    const page = await stage.open('a😀b')
    await select(page, 1, 3)
    await page.keyboard.insertText('😁')
    expect(await texts(page)).toEqual({ shown: 'a😁b', shared: 'a😁b' })
  })

  test('half of a character that other code leaves becomes a replacement character, here as for everybody', async () => {
    const page = await stage.open('a😀b')
    await page.evaluate(async () => {
      harness.scene.element.value = 'a\ud83db'
      harness.scene.element.dispatchEvent(new Event('input'))
      await harness.nextFrame()
      harness.scene.exchange()
    })
    expect(await texts(page)).toEqual({ shown: 'a\ufffdb', shared: 'a\ufffdb' })
    expect(await page.evaluate(() => harness.scene.theirs.toString())).toBe('a\ufffdb')
  })

  test('dragging a selection elsewhere moves it', async () => {
    const page = await stage.open('move me: aaaa')
    await select(page, 0, 4)
    await drag(page, [12, 10], [120, 12])
    const { shown, shared } = await texts(page)
    expect(shared).toBe(shown)
    expect(shown).not.toBe('move me: aaaa')
    expect([...shown].sort()).toEqual([...'move me: aaaa'].sort())
  })
})

test.each(['document', 'body', 'element'])(
  'a key is not lost where the page stops all events at its %s',
  async (where) => {
    const page = await stage.open('', { foreignWrites: 'revert' })
    await page.evaluate((where) => {
      const target = { document, body: document.body, element: harness.scene.element }[where]
      for (const type of ['beforeinput', 'input', 'keydown', 'keyup', 'keypress', 'selectionchange']) {
        target?.addEventListener(type, (event) => event.stopImmediatePropagation(), true)
      }
    }, where)
    await page.keyboard.type('ab')
    await page.keyboard.press('Backspace')
    expect(await texts(page)).toEqual({ shown: 'a', shared: 'a' })
    await page.keyboard.press('ControlOrMeta+z')
    const { shown, shared } = await texts(page)
    expect(shown).toBe(shared)
    expect(shown).not.toBe('a')
  },
)

test('in a closed shadow tree keys and undo are heard', async () => {
  const page = await stage.open('')
  await page.evaluate(() => {
    const host = document.createElement('div')
    document.body.append(host)
    host.attachShadow({ mode: 'closed' }).append(harness.scene.element)
    harness.scene.element.focus()
  })
  await page.keyboard.type('a')
  expect(await texts(page)).toEqual({ shown: 'a', shared: 'a' })
  await page.keyboard.press('ControlOrMeta+z')
  expect(await texts(page)).toEqual({ shown: '', shared: '' })
})

test('an edit is in the shared text before the application hears of it, which may stop the event', async () => {
  const page = await stage.open('')
  const heard = await page.evaluate(() => {
    const seen: string[] = []
    window.addEventListener('keydown', (event) => event.stopPropagation())
    harness.scene.element.addEventListener('input', (event) => {
      event.stopImmediatePropagation()
      seen.push(harness.scene.mine.toString())
    })
    document.execCommand('insertText', false, 'x')
    return seen
  })
  expect(heard).toEqual(['x'])
})

describe('a text with carriage returns', () => {
  test('keeps each of them through edits of both sides', async () => {
    const page = await stage.open('one\r\ntwo\r\nthree')
    await select(page, 7)
    await page.keyboard.type('!')
    expect(await texts(page)).toEqual({ shown: 'one\ntwo!\nthree', shared: 'one\r\ntwo!\r\nthree' })
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'zero\r\n')))
    expect(await selection(page)).toEqual([13, 13])
    await page.keyboard.press('Delete')
    expect(await texts(page)).toEqual({ shown: 'zero\none\ntwo!three', shared: 'zero\r\none\r\ntwo!three' })
  })

  test('shows what a deletion makes of a return and a line feed that now meet', async () => {
    const page = await stage.open('a\rb\nc')
    await select(page, 3)
    await page.keyboard.press('Backspace')
    await page.evaluate(() => harness.nextFrame())
    expect(await texts(page)).toEqual({ shown: 'a\nc', shared: 'a\r\nc' })
  })
})

describe('what other code does to the element', () => {
  test('writing the value is an edit, taken with the next event', async () => {
    const page = await stage.open('one two')
    await page.evaluate(() => {
      harness.scene.element.value = 'one 2'
      return harness.scene.remotely((text) => text.insert(0, 'zero '))
    })
    expect(await texts(page)).toEqual({ shown: 'zero one 2', shared: 'zero one 2' })
  })

  test.each(['input', 'change', 'focus', 'blur', 'selectionchange'])('a write is noticed with %s', async (type) => {
    const page = await stage.open('one')
    await page.evaluate((name) => {
      harness.scene.element.value = 'two'
      harness.scene.element.dispatchEvent(new Event(name))
    }, type)
    expect((await texts(page)).shared).toBe('two')
  })

  test('a write is an edit of its own, which is not mixed with what is typed after it', async () => {
    const page = await stage.open('')
    await page.evaluate(() => {
      harness.scene.element.value = 'written '
    })
    await page.keyboard.type('typed')
    expect((await texts(page)).shared).toBe('written typed')
    await page.keyboard.press('ControlOrMeta+z')
    expect((await texts(page)).shared).toBe('written ')
    await page.keyboard.press('ControlOrMeta+z')
    expect((await texts(page)).shared).toBe('')
  })

  test('a write is reverted on demand', async () => {
    const page = await stage.open('shared', { foreignWrites: 'revert' })
    await page.evaluate(() => {
      harness.scene.element.value = 'written'
      harness.scene.element.dispatchEvent(new Event('input'))
    })
    expect(await texts(page)).toEqual({ shown: 'shared', shared: 'shared' })
    await page.keyboard.type('!')
    expect(await texts(page)).toEqual({ shown: 'shared!', shared: 'shared!' })
  })

  /** Puts the element into a form that is in a shadow tree or not, and resets that, while a remote edit comes. */
  function resetForm(isInShadow: boolean): void {
    const { element } = harness.scene
    const form = document.createElement('form')
    element.replaceWith(form)
    if (isInShadow) {
      const host = document.createElement('div')
      form.replaceWith(host)
      host.attachShadow({ mode: 'open' }).append(form)
    }
    form.append(element)
    element.focus()
    element.setSelectionRange(2, 4)
    form.reset()
  }

  test.each([
    ['', false],
    [' in a shadow tree', true],
  ])('resetting the form%s leaves the text and the caret', async (_title, isInShadow) => {
    const page = await stage.open('shared')
    await page.evaluate(resetForm, isInShadow)
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'X')))
    await page.waitForFunction(() => harness.scene.element.value === 'Xshared')
    expect((await texts(page)).shared).toBe('Xshared')
    expect(await selection(page)).toEqual([3, 5])
  })

  test('resetting the form is an edit on demand', async () => {
    const page = await stage.open('shared', { reset: 'take', foreignWrites: 'revert' })
    await page.evaluate(resetForm, false)
    await page.waitForFunction(() => harness.scene.mine.toString() === '')
    await page.evaluate(() => harness.scene.binding.undo())
    expect(await texts(page)).toEqual({ shown: 'shared', shared: 'shared' })
  })
})

describe('an observer that answers an edit with another edit', () => {
  /** Yjs puts the second edit into both deltas for observers that come after this one. */
  test('leaves the caret on its character', async () => {
    const page = await stage.open('ab')
    await page.evaluate(() => harness.bindBehindAnswers())
    await select(page, 1)
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'X')))
    await page.keyboard.type('c')
    await page.evaluate(() => harness.nextFrame())
    expect(await texts(page)).toEqual({ shown: '!Xacb', shared: '!Xacb' })
  })
})
