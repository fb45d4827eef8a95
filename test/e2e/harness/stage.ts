import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { bundleScript } from '../../support/bundle.ts'
import { launchChromium } from '../../support/chromium.ts'
import { openPage } from '../../support/demo.ts'
import type {} from './index.ts'
import type { SceneOptions } from './scene.ts'

/** What opens pages with a scene, for all tests of a file. */
export interface Stage {
  /** A page with a focused element that is bound to a text with this content. */
  open(text: string, options?: Omit<SceneOptions, 'undoManager'>): Promise<Page>
  /** A page that has the harness and no scene. */
  openEmpty(url?: string): Promise<Page>
  /** The harness, for a page that has lost it. */
  readonly script: string
}

/** To be called once in a test file, outside of its tests. */
export function setStage(): Stage {
  let browser: Browser
  let script: string

  beforeAll(async () => {
    script = await bundleScript(fileURLToPath(new URL('index.ts', import.meta.url)), 'harness')
    browser = await launchChromium()
  })
  afterAll(() => browser.close())

  async function openEmpty(url = 'about:blank'): Promise<Page> {
    const page = await openPage(browser, url, onTestFinished)
    await page.addScriptTag({ content: script })
    return page
  }

  return {
    get script() {
      return script
    },
    openEmpty,
    async open(text, options = {}) {
      const page = await openEmpty()
      await page.evaluate(([initial, sceneOptions]) => harness.begin(initial, sceneOptions), [text, options] as const)
      return page
    },
  }
}

/** What the element shows, and what the shared text is. */
export function texts(page: Page): Promise<{ shown: string; shared: string }> {
  return page.evaluate(() => ({ shown: harness.scene.element.value, shared: harness.scene.mine.toString() }))
}

/** The ends of the selection. */
export async function selection(page: Page): Promise<(number | null)[]> {
  return page.evaluate(() => harness.scene.selection.slice(0, 2).map(Number))
}

/** Puts the caret, or a selection, where the user would by mouse. */
export async function select(page: Page, start: number, end = start): Promise<void> {
  await page.evaluate(([from, to]) => harness.scene.element.setSelectionRange(from, to), [start, end] as const)
}

/** Input methods, as Chromium's own protocol drives them. */
export async function inputMethod(
  page: Page,
): Promise<{ compose(text: string): Promise<void>; commit(text: string): Promise<void> }> {
  const session = await page.context().newCDPSession(page)
  return {
    compose: async (text) => {
      await session.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length })
    },
    commit: async (text) => {
      await session.send('Input.insertText', { text })
    },
  }
}

/** Drags with the mouse from one place to another, in pixels from the element's corner. */
export async function drag(page: Page, from: [number, number], to: [number, number]): Promise<void> {
  const box = await page.locator('#text').boundingBox()
  if (box === null) throw new Error('the element is not shown')
  await page.mouse.move(box.x + from[0], box.y + from[1])
  await page.mouse.down()
  await page.mouse.move(box.x + (from[0] + to[0]) / 2, box.y + (from[1] + to[1]) / 2, { steps: 5 })
  await page.mouse.move(box.x + to[0], box.y + to[1], { steps: 5 })
  await page.mouse.up()
}
