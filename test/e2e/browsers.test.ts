import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { bundleScript } from '../support/bundle.ts'
import { type DrivenPage, KEYS, OTHER_BROWSERS, startBrowser, whyAbsent } from '../support/web-driver.ts'
import type {} from './harness/index.ts'
import type { SceneOptions } from './harness/scene.ts'

const LINES = Array.from({ length: 300 }, (_, n) => `line ${n}${' goes on'.repeat(n % 7 === 0 ? 12 : 0)}`).join('\n')
const SCROLLING = { style: 'width: 400px; height: 200px; padding: 10px; line-height: 20px' }
const UNDO = `${KEYS.control}z`
const REDO = `${KEYS.control}${KEYS.shift}z`

/** Where the element and the page are scrolled to, some frames later: browsers scroll after the fact. */
interface Scrolled {
  readonly element: number
  readonly page: number
}

describe.each(OTHER_BROWSERS)('in %s', (browser) => {
  const undos: (() => Promise<void>)[] = []
  let page: DrivenPage

  beforeAll(async () => {
    if (whyAbsent(browser) !== null) return
    page = await startBrowser(browser, (undo) => undos.push(undo))
    console.log(`driving ${page.browser}`)
    const script = await bundleScript(fileURLToPath(new URL('harness/index.ts', import.meta.url)), 'harness')
    await page.run((source) => {
      Object.assign(globalThis, { harness: new Function(`${source}; return harness`)() })
    }, script)
  })
  afterAll(async () => {
    for (const undo of undos.reverse()) await undo()
  })
  beforeEach(({ skip }) => {
    const reason = whyAbsent(browser)
    if (reason !== null) skip(reason)
  })

  function open(text: string, options: Omit<SceneOptions, 'undoManager'> = {}): Promise<void> {
    return page.run((initial, sceneOptions) => harness.begin(initial, sceneOptions), text, options)
  }

  function select(start: number, end = start, direction: 'forward' | 'backward' = 'forward'): Promise<void> {
    return page.run((...range) => harness.scene.element.setSelectionRange(...range), start, end, direction)
  }

  function texts(): Promise<{ shown: string; shared: string }> {
    return page.run(() => ({ shown: harness.scene.element.value, shared: harness.scene.mine.toString() }))
  }

  /** Inserts as another one, and waits until all that the browser does after that is done. */
  function insertRemotely(index: number, insert: string): Promise<Scrolled> {
    return page.run(
      async (index, insert) => {
        await harness.scene.remotely((text) => text.insert(index, insert))
        await harness.nextFrame()
        await harness.nextFrame()
        return { element: harness.scene.element.scrollTop, page: scrollY }
      },
      index,
      insert,
    )
  }

  function scrollTo(top: number): Promise<void> {
    return page.run(async (top) => {
      await harness.nextFrame()
      harness.scene.element.scrollTo({ top, behavior: 'instant' })
      await harness.nextFrame()
    }, top)
  }

  test('what is typed and what others write come together, and undo takes back one’s own', async () => {
    await open('start ')
    await select(6)
    await page.press(...'mine')
    await insertRemotely(0, 'theirs ')
    expect(await texts()).toEqual({ shown: 'theirs start mine', shared: 'theirs start mine' })
    await page.press('!', '\uE003')
    await page.press(UNDO)
    const { shown, shared } = await texts()
    expect(shown).toBe(shared)
    expect(shown).toMatch(/^theirs start /)
    await page.run(() => harness.scene.binding.undoManager.clear())
    await page.press('x', UNDO)
    expect((await texts()).shared).toBe(shared)
    await page.press(REDO)
    expect((await texts()).shared).toBe(`${shared}x`)
  })

  test.each([
    ['forward', 'forward'],
    ['backward', 'backward'],
  ] as const)('a selection made %s stays on its characters', async (_title, direction) => {
    await open('abcdef')
    await select(2, 4, direction)
    await insertRemotely(2, 'XX')
    await insertRemotely(6, 'YY')
    expect(await page.run(() => harness.scene.selection)).toEqual([4, 6, direction])
  })

  test.each([
    ['a caret', 8, 8, 'forward'],
    ['a selection', 8, 12, 'forward'],
    ['a selection made backward', 8, 12, 'backward'],
  ] as const)('the line that one reads stays, wherever one has %s', async (_title, start, end, direction) => {
    await open(LINES, SCROLLING)
    await select(start, end, direction)
    await scrollTo(2000)
    expect(await insertRemotely(LINES.length, 'x')).toEqual({ element: 2000, page: 0 })
    expect(await insertRemotely(0, 'new\n'.repeat(5))).toEqual({ element: 2100, page: 0 })
    expect(await insertRemotely(0, `${'word '.repeat(100)}\n`)).not.toEqual({ element: 2100, page: 0 })
    expect(await page.run(() => harness.scene.selection)).toEqual([start + 521, end + 521, direction])
  })

  test('the line that one reads stays at the top, with a caret far below, and where nobody can edit', async () => {
    await open(LINES, { ...SCROLLING, readOnly: true })
    await select(LINES.length)
    await scrollTo(0)
    expect(await insertRemotely(LINES.length, 'x')).toEqual({ element: 0, page: 0 })
    await select(8, 2, 'backward')
    await scrollTo(1000)
    expect(await insertRemotely(0, 'new\n')).toEqual({ element: 1020, page: 0 })
  })

  test('an element without focus does not get it, and has its selection when it does', async () => {
    await open('abcdef')
    await select(2, 4, 'backward')
    const active = await page.run(async () => {
      const { element } = harness.scene
      const other = document.createElement('input')
      document.body.append(other)
      other.focus()
      await harness.scene.remotely((text) => text.insert(0, 'XX'))
      await harness.scene.remotely((text) => text.insert(8, 'YY'))
      const { localName = '' } = document.activeElement ?? {}
      element.focus()
      return localName
    })
    expect(active).toBe('input')
    expect(await page.run(() => harness.scene.selection)).toEqual([4, 6, 'backward'])
  })

  test('undo scrolls to what it changes', async () => {
    await open(LINES, SCROLLING)
    await select(20)
    await page.press('x')
    await scrollTo(3000)
    await page.press(UNDO)
    expect(await page.run(() => harness.scene.element.scrollTop)).toBeLessThan(100)
  })

  test('the line that one reads stays where scrolling is smooth', async () => {
    await open(LINES, { style: `${SCROLLING.style}; scroll-behavior: smooth` })
    await select(0)
    await scrollTo(2000)
    expect(await insertRemotely(0, 'new\n'.repeat(5))).toEqual({ element: 2100, page: 0 })
  })

  test('the line that one reads stays in an element as high as its text, where the page scrolls', async () => {
    await open(LINES, SCROLLING)
    const before = await page.run(async () => {
      const { element } = harness.scene
      const grow = () => {
        element.style.height = 'auto'
        element.style.height = `${element.scrollHeight}px`
      }
      element.addEventListener('input', grow)
      grow()
      element.setSelectionRange(0, 0)
      await harness.nextFrame()
      window.scrollTo(0, 3000)
      await harness.nextFrame()
      return scrollY
    })
    expect(before).toBe(3000)
    expect(await insertRemotely(0, 'new\n'.repeat(5))).toEqual({ element: 0, page: 3100 })
  })
})
