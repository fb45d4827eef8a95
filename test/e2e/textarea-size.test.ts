import type { CDPSession } from 'playwright-core'
import { expect, test } from 'vitest'
import { setStage, texts } from './harness/stage.ts'

const stage = setStage()

const MEGABYTE = 'A line of fifty characters, as people do write it.\n'.repeat(20_500)
const PRESSES = 16
const STYLE = { style: 'width: 600px; height: 400px' }

test('fifty remote edits at once, in a megabyte, take at most two writes of the value', async () => {
  const page = await stage.open(MEGABYTE, STYLE)
  const writes = await page.evaluate(async () => {
    const { element, theirs, mine } = harness.scene
    const native = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value')
    let count = 0
    Object.defineProperty(HTMLTextAreaElement.prototype, 'value', {
      configurable: true,
      get: () => native?.get?.call(element),
      set(value: string) {
        count += 1
        native?.set?.call(element, value)
      },
    })
    // In one task, so that they lie between two frames on a busy machine, too.
    for (let n = 0; n < 50; n++) {
      void harness.scene.remotely((text) => {
        text.delete(n * 20_000, 1)
        text.insert(n * 20_000, `edit ${n}`)
      })
    }
    await harness.nextFrame()
    return { count, isShown: element.value === mine.toString() && mine.toString() === theirs.toString() }
  })
  expect(writes.isShown).toBe(true)
  expect(writes.count).toBeGreaterThan(0)
  expect(writes.count).toBeLessThanOrEqual(2)
})

/** What the page's main thread has worked since it began, in seconds of processor time: other load does not count. */
async function worked(devtools: CDPSession): Promise<number> {
  const { metrics } = await devtools.send('Performance.getMetrics')
  const metric = metrics.find(({ name }) => name === 'TaskDuration')
  if (!metric) throw new Error('the browser does not tell how long its tasks have taken')
  return metric.value
}

test('typing in a megabyte takes at most half as long again as in a textarea that is not bound', async () => {
  const page = await stage.open(MEGABYTE, STYLE)
  const devtools = await page.context().newCDPSession(page)
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
  await page.evaluate(() => {
    const { element: bound } = harness.scene
    const plain = document.createElement('textarea')
    plain.id = 'plain'
    plain.style.cssText = bound.style.cssText
    plain.value = bound.value
    document.body.append(plain)
  })

  /** What it costs until a key press is laid out and the frame is done, in seconds. */
  async function press(selector: string): Promise<number> {
    await page.locator(selector).evaluate(async (element: HTMLTextAreaElement) => {
      element.focus()
      element.setSelectionRange(500_000, 500_000)
      await harness.nextFrame()
    })
    const before = await worked(devtools)
    await page.evaluate(async () => {
      document.execCommand('insertText', false, 'x')
      await harness.nextFrame()
    })
    return (await worked(devtools)) - before
  }

  const ratios: number[] = []
  for (let n = 0; n < PRESSES; n++) {
    const plain = await press('#plain')
    ratios.push((await press('textarea:not(#plain)')) / plain)
  }
  expect(ratios.toSorted((a, b) => a - b)[PRESSES / 2]).toBeLessThan(1.5)
  const { shown, shared } = await texts(page)
  expect(shown === shared).toBe(true)
  expect(shown.length).toBe(MEGABYTE.length + PRESSES)
})

test('a peer who types into a text that is costly to show leaves most of the time to the page', async () => {
  const page = await stage.open('text', { rests: true })
  const { busy, total, isShown } = await page.evaluate(async () => {
    const { element, mine, binding } = harness.scene
    let busy = 0
    let shows = 0
    // What the layout of a long text takes.
    binding.onShown(() => {
      const begin = performance.now()
      while (performance.now() - begin < 100);
      busy += performance.now() - begin
      shows += 1
    })
    const begin = performance.now()
    while (shows < 6) await harness.scene.remotely((text) => text.insert(0, 'x'))
    const total = performance.now() - begin
    while (element.value !== mine.toString()) await harness.nextFrame()
    return { busy, total, isShown: element.value === mine.toString() }
  })
  expect(isShown).toBe(true)
  expect(busy / total).toBeLessThan(0.4)
})
