import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { setStage, texts } from './harness/stage.ts'

const stage = setStage()

describe('a destroyed binding', () => {
  test('neither writes nor reads, and leaves the element its text', async () => {
    const page = await stage.open('shared')
    await page.evaluate(() => {
      harness.scene.binding.destroy()
      return harness.scene.remotely((text) => text.insert(0, 'X'))
    })
    await page.keyboard.type('Y')
    const { shown, shared } = await texts(page)
    expect([shown, shared]).toEqual([shown.replace('X', ''), 'Xshared'])
    expect(shown).toContain('Y')
  })

  test('leaves no listener and gives back the attributes', async () => {
    const page = await stage.openEmpty()
    const left = await page.evaluate(async () => {
      const added: [string, AbortSignal | undefined][] = []
      const { addEventListener } = EventTarget.prototype
      EventTarget.prototype.addEventListener = function (type, listener, options) {
        const signal = typeof options === 'object' ? options.signal : undefined
        if (!(this instanceof AbortSignal)) added.push([type, signal])
        addEventListener.call(this, type, listener, options)
      }
      const element = document.createElement('textarea')
      element.setAttribute('autocomplete', 'name')
      document.body.append(element)
      const doc = new harness.Y.Doc()
      const text = doc.getText('content')
      const observersOf = () => [...doc._observers.values()].reduce((sum, { size }) => sum + size, text._eH.l.length)
      const before = observersOf()
      const binding = harness.bindTextarea(element, text, { readOnly: true })
      const bound = [element.autocomplete, element.readOnly]
      element.focus()
      binding.destroy()
      EventTarget.prototype.addEventListener = addEventListener
      return {
        bound,
        count: added.length,
        listeners: added.filter(([, signal]) => signal?.aborted !== true),
        attributes: [element.autocomplete, element.readOnly],
        observers: observersOf() - before,
      }
    })
    expect(left.bound).toEqual(['off', true])
    expect(left.count).toBeGreaterThan(10)
    expect(left.listeners).toEqual([])
    expect(left.attributes).toEqual(['name', false])
    expect(left.observers).toBe(0)
  })

  test('leaves a shared undo manager to others', async () => {
    const page = await stage.open('')
    const left = await page.evaluate(() => {
      const { mine } = harness.scene
      const manager = new harness.Y.UndoManager(mine, { trackedOrigins: new Set() })
      const before = manager.trackedOrigins.size
      const binding = harness.bindTextarea(document.createElement('textarea'), mine, { undoManager: manager })
      const during = manager.trackedOrigins.size
      binding.destroy()
      return [during - before, manager.trackedOrigins.size - before]
    })
    expect(left).toEqual([1, 0])
  })
})

describe('an element that is bound again', () => {
  /** What others have of the text when some keys were typed and the frames after them are over. */
  async function typed(page: Page): Promise<unknown> {
    await page.keyboard.type('xy')
    await page.evaluate(async () => {
      for (let n = 0; n < 5; n++) await harness.nextFrame()
    })
    return page.evaluate(() => harness.scene.deltas)
  }

  const TWO_KEYS = [[{ insert: 'x' }], [{ retain: 1 }, { insert: 'y' }]]

  test('has the later binding only, each key is one edit, and the earlier one does nothing more', async () => {
    const page = await stage.open('')
    await page.evaluate(() => harness.bindTextarea(harness.scene.element, harness.scene.mine))
    expect(await typed(page)).toEqual(TWO_KEYS)
    await page.evaluate(() => harness.scene.binding.undo())
    expect(await texts(page)).toEqual({ shown: 'xy', shared: 'xy' })
    await page.evaluate(() => harness.scene.binding.destroy())
    await page.keyboard.press('ControlOrMeta+z')
    expect((await texts(page)).shown).not.toContain('y')
  })

  test('by another copy of the package is bound once as well', async () => {
    const page = await stage.open('')
    await page.evaluate((script) => {
      const { element, mine } = harness.scene
      const copy: typeof harness = new Function(`${script}; return harness`)()
      const [ours, theirs] = [mine.doc, new copy.Y.Doc()]
      ours?.on('update', (update, origin) => origin === 'relay' || copy.Y.applyUpdate(theirs, update, 'relay'))
      theirs.on('update', (update, origin) => {
        if (ours && origin !== 'relay') harness.Y.applyUpdate(ours, update, 'relay')
      })
      copy.bindTextarea(element, theirs.getText('content'))
    }, stage.script)
    expect(await typed(page)).toEqual(TWO_KEYS)
  })

  test('to another text shows that one, and writes nothing to the first', async () => {
    const page = await stage.open('first')
    const shown = await page.evaluate(() => {
      const { element } = harness.scene
      const other = new harness.Y.Doc().getText('content')
      other.insert(0, 'other')
      harness.bindTextarea(element, other)
      return element.value
    })
    expect(shown).toBe('other')
    expect(await typed(page)).toEqual([])
    expect((await texts(page)).shared).toBe('first')
  })

  test('can be bound once more when its last binding has ended', async () => {
    const page = await stage.open('')
    await page.evaluate(() => {
      const { binding, element, mine } = harness.scene
      binding.destroy()
      harness.bindTextarea(element, mine).destroy()
      harness.bindTextarea(element, mine)
    })
    expect(await typed(page)).toEqual(TWO_KEYS)
  })
})
