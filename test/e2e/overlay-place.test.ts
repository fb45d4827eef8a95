import { readdir, readFile } from 'node:fs/promises'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { Gate } from '../support/gate.ts'
import { pathOf } from '../support/papers.ts'
import { type PixelBox, redBox } from '../support/pixels.ts'
import { setOverlayStage } from './harness/overlay-stage.ts'

/** Browsers paint their own caret red, and never blinking. */
const RED_CARET = '<style>textarea, input { caret-color: #f00; caret-animation: manual; outline: none }</style>'

const stage = setOverlayStage()

/** Where the browser paints its own caret at an offset, in whole pixels. */
async function paintedCaret(page: Page, offset: number): Promise<PixelBox | null> {
  await page.evaluate(async (at) => {
    const { overlay, element } = overlays.scene
    overlay.hidden = true
    element.focus({ preventScroll: true })
    element.setSelectionRange(at, at)
    await overlays.painted()
  }, offset)
  return redBox(page)
}

/** Lets one peer for each offset put the caret there. */
function putCarets(page: Page, offsets: readonly number[]): Promise<void> {
  return page.evaluate(async (list) => {
    for (const offset of list) overlays.scene.peer(String(offset)).select(offset)
    await overlays.painted()
  }, offsets)
}

/** Tells of each caret that is drawn elsewhere than the browser paints it. */
async function misplaced(page: Page, offsets: readonly number[]): Promise<object[]> {
  const drawn = await page.evaluate((list) => list.map((offset) => overlays.scene.caret(String(offset))), offsets)
  const wrong: object[] = []
  for (const [at, offset] of offsets.entries()) {
    const painted = await paintedCaret(page, offset)
    if (painted && drawn[at] && isSamePlace(painted, drawn[at])) continue
    wrong.push({ offset, painted, drawn: drawn[at] })
  }
  return wrong
}

/** The browser paints a caret behind its position, the overlay around it. */
function isSamePlace(painted: PixelBox, drawn: PixelBox): boolean {
  const middle = (drawn.left + drawn.right) / 2
  const distances = [painted.left - middle, painted.top - drawn.top, painted.bottom - drawn.bottom]
  return distances.every((distance) => Math.abs(distance) <= TOLERANCE)
}

/** One pixel, and what browsers round off. In CSS px. */
const TOLERANCE = 1.25
const WORDS = 'The quick brown fox jumps over the lazy dog. '
const HEBREW = 'שלום עולם, זה טקסט ארוך שנשבר לכמה שורות. '
const LINES = Array.from({ length: 100 }, (_, line) => `line ${line}\n`).join('')
const SOME = [0, 30, 31, 60, 100]

describe('a caret is drawn where the browser paints its own, in', () => {
  test.each<[string, string, string, readonly number[], BrowserContextOptions?]>([
    ['lines that wrap', '<textarea cols=30 rows=8>', WORDS.repeat(3), SOME],
    ['empty lines and the end', '<textarea rows=8>', 'one\n\n\ntwo\n', [0, 3, 4, 5, 6, 9, 10]],
    ['no text', '<textarea>', '', [0]],
    ['a word that is broken', '<textarea cols=20 rows=8>', 'x'.repeat(80), [0, 20, 21, 22, 23, 24, 50, 80]],
    [
      'spaces at the end of a line',
      '<textarea cols=20 rows=8>',
      `${'x'.repeat(18)}${' '.repeat(9)}y`,
      [18, 20, 22, 23, 26, 27],
    ],
    ['tabs', '<textarea style="tab-size:4">', 'a\tb\n\t\tc', [1, 2, 4, 5, 6, 7]],
    [
      'emoji and other fonts',
      '<textarea style="font:20px serif">',
      'a😀b👩‍👩‍👧c漢字d e\u0301f',
      [1, 3, 4, 12, 13, 15, 16, 19, 20],
    ],
    [
      'proportional letters, kerned and spaced',
      '<textarea style="font:italic 22px serif;letter-spacing:1.5px;word-spacing:4px">',
      'AVAVA To Ye. fi ff',
      [1, 2, 3, 7, 9, 14, 16, 18],
    ],
    ['text from right to left', '<textarea dir=rtl cols=30 rows=6>', HEBREW.repeat(3), [0, 1, 5, 20, 43, 60, 100, 126]],
    [
      'text whose direction is found',
      '<textarea dir=auto cols=30 rows=6>',
      `${HEBREW}\n${WORDS}`,
      [0, 4, 20, 43, 50, 70],
    ],
    ['a centred text', '<textarea rows=5 style="text-align:center">', 'one\ntwo three\n', [0, 2, 3, 4, 13, 14]],
    ['a justified text', '<textarea cols=30 rows=8 style="text-align:justify">', WORDS.repeat(3), SOME],
    [
      'an indented text of high lines',
      '<textarea cols=30 rows=8 style="text-indent:2em;line-height:2">',
      WORDS.repeat(2),
      [0, 1, 26, 27, 28, 60, 90],
    ],
    ['upper case', '<textarea style="text-transform:uppercase;font-family:serif">', 'straight on', [0, 3, 11]],
    [
      'borders, padding and a width in percent',
      '<textarea style="width:33.3%;height:200px;padding:.7em 3% 1em 2em;border:3.5px solid;box-sizing:border-box">',
      WORDS.repeat(2),
      [0, 1, 12, 30, 60, 90],
    ],
    ['lines that do not wrap', '<textarea wrap=off rows=3>', `${WORDS.repeat(3)}\nx`, [0, 10, 15, 137]],
    ['an input', '<input style="width:200px;padding:9px">', 'Some  words ', [0, 4, 5, 6, 12]],
    [
      'a high and centred input',
      '<input style="height:70px;text-align:center;font-size:20px">',
      'Some words',
      [0, 4, 10],
    ],
    ['an input from right to left', '<input dir=rtl>', 'שלום', [0, 2, 4]],
    ['a search field', '<input type=search>', 'Some words', [0, 4, 10]],
    ['a page at 200 %', '<body style="zoom:2"><textarea cols=20 rows=6>', WORDS.repeat(2), [0, 1, 20, 30, 60]],
    ['an element at 150 %', '<p>x<textarea cols=20 rows=6 style="zoom:1.5">', WORDS.repeat(2), [0, 1, 20, 30, 60]],
    [
      'two device pixels for each',
      '<textarea cols=30 rows=6>',
      WORDS.repeat(2),
      [0, 1, 17, 31, 60],
      { deviceScaleFactor: 2 },
    ],
    [
      'one and a quarter device pixels for each',
      '<textarea cols=30 rows=6>',
      WORDS.repeat(2),
      [0, 1, 17, 31, 60],
      { deviceScaleFactor: 1.25 },
    ],
  ])('%s', async (_title, html, text, offsets, options) => {
    const page = await stage.open(text, `${RED_CARET}${html}`, options)
    await putCarets(page, offsets)
    expect(await misplaced(page, offsets)).toEqual([])
  })
})

/** Offsets in `LINES` of the starts and ends of some lines. */
function lines(...numbers: readonly number[]): number[] {
  return numbers.flatMap((line) => [LINES.indexOf(`line ${line}\n`), LINES.indexOf(`line ${line}\n`) + 6])
}

describe('a caret stays where the browser paints its own when', () => {
  test.each<[string, string, string, readonly number[], () => unknown]>([
    [
      'the text is scrolled',
      '<textarea rows=8>',
      LINES,
      lines(23, 25, 28),
      () => overlays.scene.element.scrollTo(0, 333),
    ],
    [
      'long lines are scrolled',
      '<textarea wrap=off>',
      WORDS.repeat(3),
      [25, 30, 34],
      () => overlays.scene.element.scrollTo(180, 0),
    ],
    [
      'an input is scrolled',
      '<input style="width:120px">',
      WORDS.repeat(3),
      [30, 33, 37],
      () => overlays.scene.element.scrollTo(170, 0),
    ],
    [
      'lines from right to left are scrolled',
      '<textarea dir=rtl wrap=off>',
      HEBREW.repeat(3),
      [38, 41, 44],
      () => overlays.scene.element.scrollTo(-180, 0),
    ],
    [
      'the scroll bar is on the left',
      '<textarea dir=rtl rows=8>',
      `${HEBREW}\n`.repeat(40),
      [215, 230],
      () => overlays.scene.element.scrollTo(0, 150),
    ],
    [
      'the element is resized',
      '<textarea rows=10>',
      WORDS.repeat(3),
      [0, 20, 50, 80],
      () => overlays.scene.element.style.setProperty('width', '130px'),
    ],
    [
      'it gets another font',
      '<textarea rows=10 cols=40>',
      WORDS.repeat(2),
      [0, 10, 25],
      () => overlays.scene.element.style.setProperty('font', '20px serif'),
    ],
    ['something comes in above', '<p></p><textarea>', WORDS, [0, 30], () => overlays.part('p').append('Above')],
    [
      'its neighbour in a grid grows',
      '<main style="display:grid;grid-template-columns:auto 200px"><p>x</p><textarea>',
      WORDS,
      [0, 20],
      () => overlays.part('p').append(' wider'),
    ],
    [
      'it is centred in a flex box whose height changes',
      '<main style="display:flex;height:150px;align-items:center;justify-content:center"><textarea>',
      WORDS,
      [0, 20],
      () => overlays.part('main').style.setProperty('height', '280px'),
    ],
    [
      'the page is scrolled',
      '<body style="height:2000px"><p>Above</p><textarea>',
      WORDS,
      [0, 20],
      () => scrollTo(0, 30),
    ],
    [
      'an ancestor is scrolled that is not positioned',
      '<main style="height:200px;overflow:auto"><p>Above</p><textarea rows=20>',
      LINES,
      lines(2, 5),
      () => overlays.part('main').scrollTo(0, 40),
    ],
    [
      'the page is scrolled below an element that is fixed',
      '<body style="height:2000px"><p>Above<textarea style="position:fixed;top:40px">',
      WORDS,
      [0, 20],
      () => scrollTo(0, 300),
    ],
    [
      'the page is scrolled below an element that is sticky',
      '<body style="height:2000px"><p>Above</p><textarea style="position:sticky;top:10px">',
      WORDS,
      [0, 20],
      () => scrollTo(0, 300),
    ],
    [
      'its surroundings are transformed',
      '<main style="transform-origin:0 0"><p>Above</p><textarea>',
      WORDS,
      [0, 20],
      () => overlays.part('main').style.setProperty('transform', 'translate(20px, 10px) scale(2)'),
    ],
    [
      'the app puts it elsewhere',
      '<textarea rows=3></textarea><p>Below</p><main></main>',
      WORDS,
      [0, 20],
      () => overlays.part('main').append(overlays.scene.element),
    ],
  ])('%s', async (_title, html, text, offsets, change) => {
    const page = await stage.open(text, `${RED_CARET}${html}`)
    await putCarets(page, offsets)
    await page.evaluate(change)
    await page.evaluate(() => overlays.painted())
    expect(await misplaced(page, offsets)).toEqual([])
  })
})

/** A font with other heights than any for text, and other widths of its icons. */
async function iconFont(): Promise<Buffer> {
  const directory = pathOf('node_modules/playwright-core/lib/vite/recorder/assets')
  const name = (await readdir(directory)).find((file) => /^codicon.*\.ttf$/.test(file))
  if (name === undefined) throw new Error('Playwright brings no font of icons any more')
  return readFile(`${directory}/${name}`)
}

test('a caret moves with the text when a font comes late', async () => {
  const page = await stage.openBlank()
  const gate = new Gate()
  const body = await iconFont()
  await page.route('http://fonts.example/late.ttf', async (route) => {
    await gate.opened
    await route.fulfill({ body, headers: { 'access-control-allow-origin': '*' } })
  })
  const face = '@font-face { font-family: Late; src: url(http://fonts.example/late.ttf); font-display: swap }'
  const field = '<textarea cols=20 rows=8 style="font: 20px Late, monospace"></textarea>'
  await page.setContent(`<!doctype html><style>${face}</style>${RED_CARET}${field}`, { waitUntil: 'domcontentloaded' })
  await page.addScriptTag({ content: stage.script })
  const offsets = [0, 2, 5, 11]
  await page.evaluate((text) => void overlays.begin(text), '\uea60\uea61 a\n'.repeat(4))
  await putCarets(page, offsets)
  const before = await page.evaluate(() => overlays.scene.caret('11'))
  gate.open()
  await page.evaluate(async () => {
    await document.fonts.ready
    await overlays.painted()
    await overlays.painted()
  })
  expect(await page.evaluate(() => overlays.scene.caret('11'))).not.toEqual(before)
  expect(await misplaced(page, offsets)).toEqual([])
})

test('nothing of others is printed, and they are where they were afterwards', async () => {
  const page = await stage.open(WORDS.repeat(3), `${RED_CARET}<textarea cols=30 rows=8>`)
  await putCarets(page, SOME)
  const drawn = () =>
    page.evaluate(() =>
      [...overlays.scene.drawn('caret'), ...overlays.scene.drawn('name')].map((part) =>
        part.checkVisibility({ opacityProperty: true, visibilityProperty: true }),
      ),
    )
  expect(await drawn()).toContain(true)
  const size = () => page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight])
  const before = await size()
  await page.emulateMedia({ media: 'print' })
  // What the page does as its layout changes.
  await page.evaluate(() => {
    overlays.scene.element.style.setProperty('width', '250px')
    return overlays.painted()
  })
  expect(await drawn()).not.toContain(true)
  expect(await size()).toEqual(before)
  await page.emulateMedia({ media: 'screen' })
  await page.evaluate(() => overlays.painted())
  expect(await misplaced(page, SOME)).toEqual([])
})
