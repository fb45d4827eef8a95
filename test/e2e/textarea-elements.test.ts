import { createServer } from 'node:http'
import type { Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { select, setStage, texts } from './harness/stage.ts'

const stage = setStage()

/** Serves one page, which can be reloaded and come back to as `about:blank` cannot. Resolves with its address. */
async function serve(html: string): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8').end(html)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  return `http://127.0.0.1:${address.port}/`
}

describe('an input', () => {
  test.each(['text', 'search', 'url', 'tel', 'password', 'email'])('of the type %s is bound', async (input) => {
    const page = await stage.open('a', { input })
    await page.keyboard.press('End')
    await page.keyboard.type('b')
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'X')))
    expect(await texts(page)).toEqual({ shown: 'Xab', shared: 'Xab' })
    await page.keyboard.press('ControlOrMeta+z')
    expect(await texts(page)).toEqual({ shown: 'Xa', shared: 'Xa' })
  })

  test.each(['number', 'date', 'checkbox', 'file'])('of the type %s is refused', async (input) => {
    const page = await stage.openEmpty()
    const code = await page.evaluate((type) => {
      const element = document.createElement('input')
      element.type = type
      try {
        harness.bindTextarea(element, new harness.Y.Doc().getText('content'))
        return 'bound'
      } catch (error) {
        return error instanceof Error && 'code' in error ? error.code : error
      }
    }, input)
    expect(code).toBe('ELEMENT_UNSUITABLE')
  })

  test('that is not there is refused, and so is a text that is none or has no document', async () => {
    const page = await stage.openEmpty()
    const codes = await page.evaluate(() => {
      const { bindTextarea, Y } = harness
      const textarea = document.createElement('textarea')
      const attempts = [
        () => Reflect.apply(bindTextarea, null, [document.querySelector('#nothing'), new Y.Doc().getText()]),
        () => Reflect.apply(bindTextarea, null, [undefined, new Y.Doc().getText()]),
        () => Reflect.apply(bindTextarea, null, [document.createElement('div'), new Y.Doc().getText()]),
        () => Reflect.apply(bindTextarea, null, [textarea, undefined]),
        () => Reflect.apply(bindTextarea, null, [textarea, new Y.Doc()]),
        () => bindTextarea(textarea, new Y.Text('in no document')),
      ]
      return attempts.map((attempt) => {
        try {
          return attempt()
        } catch (error) {
          return error instanceof Error && 'code' in error ? error.code : String(error)
        }
      })
    })
    const [element, text] = ['ELEMENT_UNSUITABLE', 'TEXT_UNSUITABLE']
    expect(codes).toEqual([element, element, element, text, text, text])
  })

  test('keeps the line ends that it cannot show', async () => {
    const page = await stage.open('one\r\ntwo\nthree', { input: 'text' })
    expect((await texts(page)).shown).toBe('onetwothree')
    await select(page, 6)
    await page.keyboard.type('!')
    await page.keyboard.press('Backspace')
    await page.keyboard.press('Backspace')
    expect(await texts(page)).toEqual({ shown: 'onetwthree', shared: 'one\r\ntw\nthree' })
    await select(page, 0, 10)
    await page.keyboard.type('x')
    expect(await texts(page)).toEqual({ shown: 'x', shared: 'x\r\n\n' })
  })

  test('that drops more shows what it can and leaves the rest', async () => {
    const page = await stage.open('  http://a/ ', { input: 'url' })
    expect((await texts(page)).shown).toBe('http://a/')
    await select(page, 9)
    await page.keyboard.type('b')
    expect(await texts(page)).toEqual({ shown: 'http://a/b', shared: '  http://a/b ' })
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(9, 'x')))
    expect(await texts(page)).toEqual({ shown: 'http://xa/b', shared: '  http://xa/b ' })
  })
})

describe('an element', () => {
  test('with a maximum length shows a longer remote text whole, and what is typed does not cut it', async () => {
    const page = await stage.open('ab')
    await page.evaluate(() => {
      harness.scene.element.maxLength = 3
      return harness.scene.remotely((text) => text.insert(2, 'cdef'))
    })
    await page.keyboard.press('End')
    await page.keyboard.type('x')
    expect(await texts(page)).toEqual({ shown: 'abcdef', shared: 'abcdef' })
    await page.keyboard.press('Backspace')
    expect(await texts(page)).toEqual({ shown: 'abcde', shared: 'abcde' })
  })

  test('in an iframe is bound', async () => {
    const page = await stage.open('')
    await page.evaluate(() => {
      const frame = document.createElement('iframe')
      document.body.append(frame)
      const element = frame.contentDocument?.createElement('textarea')
      if (!element) throw new Error('the frame has no document')
      frame.contentDocument?.body.append(element)
      harness.bindTextarea(element, harness.scene.mine)
      element.focus()
    })
    await page.keyboard.type('x')
    await page.evaluate(() => {
      harness.scene.exchange()
      return harness.scene.remotely((text) => text.insert(1, 'X'))
    })
    const inner = page.frames().at(-1)
    expect(await inner?.locator('textarea').inputValue()).toBe('xX')
    expect(await texts(page)).toEqual({ shown: 'xX', shared: 'xX' })
  })

  test('gets the text of others past a setter of a framework, which learns of it by the event', async () => {
    const page = await stage.open('a')
    const known = await page.evaluate(async () => {
      const { element } = harness.scene
      const native = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value')
      // What React does to know which values it wrote itself.
      let tracked = element.value
      Object.defineProperty(element, 'value', {
        configurable: true,
        get: () => native?.get?.call(element),
        set(value: string) {
          tracked = value
          native?.set?.call(element, value)
        },
      })
      const changes: string[] = []
      element.addEventListener('input', () => {
        if (element.value !== tracked) changes.push(element.value)
      })
      await harness.scene.remotely((text) => text.insert(0, 'X'))
      return changes
    })
    expect(known).toEqual(['Xa'])
  })

  test('what it held before it was bound is replaced', async () => {
    const page = await stage.open('shared')
    const value = await page.evaluate(() => {
      const element = document.createElement('textarea')
      element.value = 'restored by the browser'
      harness.bindTextarea(element, harness.scene.mine)
      return element.value
    })
    expect(value).toBe('shared')
    expect((await texts(page)).shared).toBe('shared')
  })

  test('and another may show one text', async () => {
    const page = await stage.open('shared')
    await page.evaluate(() => {
      const second = document.createElement('textarea')
      second.id = 'second'
      document.body.append(second)
      harness.bindTextarea(second, harness.scene.mine)
    })
    await page.locator('#second').fill('edited')
    await page.evaluate(() => harness.nextFrame())
    expect(await texts(page)).toEqual({ shown: 'edited', shared: 'edited' })
    await page.locator('#text').press('End')
    await page.keyboard.type('!')
    await page.evaluate(() => harness.nextFrame())
    expect(await page.locator('#second').inputValue()).toBe('edited!')
  })
})

describe('an element that people cannot edit', () => {
  async function expectUntouched(page: Page): Promise<void> {
    await page.keyboard.type('x')
    await page.keyboard.press('ControlOrMeta+z')
    await page.evaluate(() => {
      harness.scene.binding.undo()
      harness.scene.element.value = 'written'
      harness.scene.element.dispatchEvent(new Event('input'))
    })
    expect(await texts(page)).toEqual({ shown: 'mine', shared: 'mine' })
  }

  test('takes no key, no undo and no write, but shows what others do', async () => {
    const page = await stage.open('')
    await page.keyboard.insertText('mine')
    await page.evaluate(() => {
      harness.scene.element.readOnly = true
    })
    await expectUntouched(page)
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'X')))
    expect((await texts(page)).shown).toMatch(/X/)
  })

  test('may be disabled, by a fieldset too', async () => {
    const page = await stage.open('')
    await page.keyboard.insertText('mine')
    await page.evaluate(() => {
      const fieldset = document.createElement('fieldset')
      harness.scene.element.replaceWith(fieldset)
      fieldset.append(harness.scene.element)
      fieldset.disabled = true
    })
    await expectUntouched(page)
  })

  test('may be given back to them', async () => {
    const page = await stage.open('', { readOnly: true })
    await page.keyboard.type('x')
    expect((await texts(page)).shared).toBe('')
    await page.evaluate(() => {
      harness.scene.element.readOnly = false
    })
    await page.keyboard.type('y')
    expect((await texts(page)).shared).toBe('y')
    await page.keyboard.press('ControlOrMeta+z')
    expect((await texts(page)).shared).toBe('')
  })
})

describe('a page that is loaded again', () => {
  const FORM = '<form><textarea id="restored"></textarea></form>'

  /** Binds the page's textarea to a new text, as the page's own script would. */
  async function bindRestored(page: Page, text: string): Promise<string> {
    await page.addScriptTag({ content: stage.script })
    return page.evaluate((content) => {
      const element = document.querySelector('textarea')
      if (element === null) throw new Error('the page has no textarea')
      const shared = new harness.Y.Doc().getText('content')
      shared.insert(0, content)
      const restored = element.value
      harness.bindTextarea(element, shared)
      element.focus()
      return restored
    }, text)
  }

  test.each([
    ['reloaded', async (page: Page) => void (await page.reload())],
    [
      'left and come back to',
      async (page: Page) => {
        await page.goto('about:blank')
        await page.goBack()
      },
    ],
  ])('%s restores nothing that the text does not hold', async (_title, leave) => {
    const page = await stage.openEmpty(await serve(FORM))
    // A page that is kept whole on the way back needs no restoring.
    await page.evaluate(() => window.addEventListener('unload', () => undefined))
    expect(await bindRestored(page, 'first')).toBe('')
    await page.keyboard.type('typed ')
    await leave(page)
    await page.locator('#restored').waitFor()
    expect(await bindRestored(page, 'second')).toBe('')
    expect(await page.locator('#restored').inputValue()).toBe('second')
  })
})
