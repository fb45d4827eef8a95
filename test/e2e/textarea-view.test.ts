import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { select, setStage } from './harness/stage.ts'

const stage = setStage()

const LINES = Array.from({ length: 300 }, (_, n) => `line ${n}${' goes on'.repeat(n % 7 === 0 ? 12 : 0)}`).join('\n')
const BOX = 'width: 400px; height: 200px; padding: 10px; line-height: 20px;'

/** How a page shows its element. `X` in the markup is the place of the element. */
interface Setting {
  readonly style: string
  readonly html?: string
  /** What is scrolled: the element itself unless given. */
  readonly scroller?: string
  /** Makes the element as high as its text by code. */
  readonly grows?: true
  readonly isModal?: true
}

/** Puts the scene's element into a page and scrolls. */
async function open(setting: Setting, top = 2007): Promise<Page> {
  const page = await stage.open(LINES, { style: setting.style })
  await page.evaluate(
    async ([{ html = 'X', scroller, grows, isModal }, top]) => {
      const { element } = harness.scene
      document.body.innerHTML = html.replace('X', '<i></i>')
      document.querySelector('i')?.replaceWith(element)
      if (isModal) document.querySelector('dialog')?.showModal()
      const grow = () => {
        element.style.height = 'auto'
        element.style.height = `${element.scrollHeight}px`
      }
      if (grows) {
        element.addEventListener('input', grow)
        grow()
      }
      element.focus()
      element.setSelectionRange(0, 0)
      await harness.nextFrame()
      const box = scroller === undefined ? element : document.querySelector(scroller)
      box?.scrollTo({ top, behavior: 'instant' })
      await harness.nextFrame()
    },
    [setting, top] as const,
  )
  return page
}

/** What the browser itself finds at a part of the height that is in sight, and where that is in the viewport. */
function read(page: Page, { scroller = '#text' }: Setting, part: number): Promise<{ offset: number; top: number }> {
  return page.evaluate(
    ([scroller, part]) => {
      const { element } = harness.scene
      const boxes = [element, document.querySelector(scroller)].map(
        (box) => box?.getBoundingClientRect() ?? new DOMRect(),
      )
      const { left, right } = boxes[0]
      const top = Math.max(0, ...boxes.map((box) => box.top)) + 14
      const bottom = Math.min(innerHeight, ...boxes.map((box) => box.bottom)) - 14
      const x = getComputedStyle(element).direction === 'rtl' ? right - 40 : left + 40
      const position = document.caretPositionFromPoint(x, top + part * (bottom - top))
      const box = position?.getClientRect()
      if (position?.offsetNode !== element || !box) throw new Error('the browser finds nothing there')
      return { offset: position.offset, top: Math.round(box.top) }
    },
    [scroller, part] as const,
  )
}

const SETTINGS: readonly [string, Setting][] = [
  ['in an element that scrolls', { style: BOX }],
  ['where scrolling is smooth', { style: `${BOX} scroll-behavior: smooth` }],
  [
    'where the page scrolls, smoothly, and the element is as high as its text by code',
    {
      style: BOX,
      grows: true,
      scroller: 'body',
      html: '<style>html { scroll-behavior: smooth }</style><h1>A</h1>X<p>B',
    },
  ],
  [
    'where the page scrolls and field-sizing makes the element as high as its text',
    { style: `${BOX} height: auto; field-sizing: content`, scroller: 'body', html: '<h1>A</h1>X<p>B' },
  ],
  [
    'where a part of the page scrolls, which does not anchor',
    {
      style: BOX,
      grows: true,
      scroller: 'main',
      html: '<main style="height: 300px; overflow: auto; overflow-anchor: none"><h1>A</h1>X<p>B</main>',
    },
  ],
  ['under zoom', { style: `${BOX} zoom: 1.3` }],
  ['under zoom of what it is in', { style: BOX, html: '<div style="zoom: 0.8">X</div>' }],
  [
    'under a transform',
    { style: BOX, html: '<div style="transform: translate(30px, 20px) scale(1.2); transform-origin: 0 0">X</div>' },
  ],
  ['from right to left', { style: `${BOX} direction: rtl` }],
  [
    'in a modal dialog that scrolls',
    { style: BOX, grows: true, scroller: 'dialog', isModal: true, html: '<dialog style="height: 300px">X</dialog>' },
  ],
  ['in a modal dialog', { style: BOX, isModal: true, html: '<dialog>X</dialog><div style="height: 5000px"></div>' }],
  [
    'in a fixed box',
    { style: BOX, html: '<div style="position: fixed; top: 40px">X</div><div style="height: 5000px"></div>' },
  ],
  [
    'in letters of several scripts and sizes',
    { style: `${BOX} font: 15px/1.4 serif; letter-spacing: 1px; tab-size: 3` },
  ],
]

describe('what one reads is not moved by others', () => {
  test.each(SETTINGS)('%s', async (_title, setting) => {
    const page = await open(setting)
    const before = await read(page, setting, 0.5)
    const textBehind = (offset: number) => page.evaluate((at) => harness.scene.element.value.slice(at, at + 40), offset)
    const text = await textBehind(before.offset)
    for (const [index, insert] of [
      [0, 'new\n'.repeat(5)],
      [0, `${'word '.repeat(100)}\n`],
      [40, '日本 עברית 👩‍👩‍👧\n'],
      [-1, '\nnew'],
    ] as const) {
      await page.evaluate(
        ([index, insert]) => harness.scene.remotely((text) => text.insert(index === -1 ? text.length : index, insert)),
        [index, insert] as const,
      )
      // What the browser does of itself comes with a later frame.
      await page.evaluate(() => harness.nextFrame())
      const { offset, top } = await read(page, setting, 0.5)
      expect(await textBehind(offset)).toBe(text)
      expect(Math.abs(top - before.top)).toBeLessThanOrEqual(1)
    }
  })

  test.each(SETTINGS.filter(([, { grows, scroller }]) => grows || scroller))(
    'and the beginning, where it is in sight, gives way: %s',
    async (_title, setting) => {
      const page = await open(setting, 0)
      await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'news\n')))
      const tops = await page.evaluate(() => [harness.scene.element.scrollTop, scrollY])
      expect(tops).toEqual([0, 0])
    },
  )
})

test.each([
  ['by its style', '#text'],
  ['with what it is in', 'section'],
])('what one reads is not moved by others while the element is not displayed, %s', async (_title, selector) => {
  const setting: Setting = { style: BOX, html: '<section>X</section>' }
  const page = await open(setting)
  const before = await read(page, setting, 0.5)
  await page.evaluate(async (selector) => {
    const { scene } = harness
    const hidden = document.querySelector<HTMLElement>(selector)
    hidden?.style.setProperty('display', 'none')
    await harness.nextFrame()
    await scene.remotely((text) => text.insert(0, 'new\n'.repeat(5)))
    await scene.remotely((text) => text.insert(0, `${'word '.repeat(100)}\n`))
    await scene.remotely((text) => text.insert(text.length, '\nnew'))
    hidden?.style.setProperty('display', 'block')
    await harness.nextFrame()
  }, selector)
  const after = await read(page, setting, 0.5)
  expect(after.top).toBe(before.top)
  expect(after.offset - before.offset).toBe('new\n'.repeat(5).length + 'word '.length * 100 + 1)
  await page.evaluate(() => harness.scene.element.scrollTo(0, 500))
  await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, 'new\n')))
  expect(await page.evaluate(() => harness.scene.element.scrollTop)).toBe(520)
})

test('what one reads is not moved by others after the page has changed how the text looks', async () => {
  const setting: Setting = { style: BOX }
  const page = await open(setting)
  for (const style of [
    'font-size: 19px',
    'width: 300px',
    'line-height: 31px',
    'padding: 3px 40px',
    'text-indent: 30px',
  ]) {
    await page.evaluate((css) => {
      harness.scene.element.style.cssText += `;${css}`
    }, style)
    const before = await read(page, setting, 0.5)
    const insert = `${'word '.repeat(50)}\n`
    await page.evaluate((words) => harness.scene.remotely((text) => text.insert(0, words)), insert)
    const after = await read(page, setting, 0.5)
    expect(after.offset - before.offset).toBe(insert.length)
    expect(Math.abs(after.top - before.top)).toBeLessThanOrEqual(1)
  }
})

test('nothing is added to the page for an element that shows its beginning, or is in no document', async () => {
  const page = await stage.open(LINES, { style: BOX })
  const counts = await page.evaluate(async () => {
    const { element, mine } = harness.scene
    const { childElementCount } = document.documentElement
    const count = () => document.documentElement.childElementCount - childElementCount
    await harness.scene.remotely((text) => text.insert(0, 'new\n'))
    const shown = count()
    const detached = document.createElement('textarea')
    const binding = harness.bindTextarea(detached, mine)
    await harness.scene.remotely((text) => text.insert(0, 'new\n'))
    binding.undo()
    const isShown = detached.value === mine.toString()
    element.scrollTo(0, 500)
    await harness.scene.remotely((text) => text.insert(0, 'new\n'))
    const scrolled = count()
    harness.scene.binding.destroy()
    return [shown, isShown, scrolled, count()]
  })
  expect(counts).toEqual([0, true, 1, 0])
})

describe('undo scrolls to what it changes', () => {
  test.each(SETTINGS)('%s', async (_title, setting) => {
    const page = await open(setting, 0)
    const offset = LINES.indexOf('line 250')
    await select(page, offset)
    await page.keyboard.insertText('here')
    await page.evaluate((selector) => {
      document.querySelector(selector)?.scrollTo({ top: 0, behavior: 'instant' })
      return harness.nextFrame()
    }, setting.scroller ?? '#text')
    await page.keyboard.press('ControlOrMeta+z')
    expect((await read(page, setting, 0)).offset).toBeLessThanOrEqual(offset)
    expect((await read(page, setting, 1)).offset).toBeGreaterThanOrEqual(offset)
  })
})
