import { expect, test } from 'vitest'
import { setStage, texts } from './harness/stage.ts'

const stage = setStage()

const MEGABYTE = 'A line of fifty characters, as people do write it.\n'.repeat(20_500)
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
    // As messages come: each in a task of its own.
    const tasks = new MessageChannel()
    const delivered = new Promise<void>((resolve) => {
      tasks.port1.onmessage = ({ data }) => {
        void harness.scene.remotely((text) => {
          text.delete(data * 20_000, 1)
          text.insert(data * 20_000, `edit ${data}`)
        })
        if (data === 49) resolve()
      }
    })
    for (let n = 0; n < 50; n++) tasks.port2.postMessage(n)
    await delivered
    await harness.nextFrame()
    return { count, isShown: element.value === mine.toString() && mine.toString() === theirs.toString() }
  })
  expect(writes.isShown).toBe(true)
  expect(writes.count).toBeGreaterThan(0)
  expect(writes.count).toBeLessThanOrEqual(2)
})

test('typing in a megabyte takes at most half as long again as in a textarea that is not bound', async () => {
  const page = await stage.open(MEGABYTE, STYLE)
  const ratio = await page.evaluate(async () => {
    const { element: bound } = harness.scene
    const plain = document.createElement('textarea')
    plain.style.cssText = bound.style.cssText
    plain.value = bound.value
    document.body.append(plain)

    /** How long a key press takes until what it did is laid out and the frame is done, in milliseconds. */
    async function press(element: HTMLElement): Promise<number> {
      const start = performance.now()
      document.execCommand('insertText', false, 'x')
      element.getBoundingClientRect()
      await harness.nextFrame()
      return performance.now() - start
    }

    const ratios: number[] = []
    for (let n = 0; n < 16; n++) {
      const times: number[] = []
      for (const element of [plain, bound]) {
        element.focus()
        element.setSelectionRange(500_000, 500_000)
        await harness.nextFrame()
        times.push(await press(element))
      }
      const [plainTime = 0, boundTime = 0] = times
      ratios.push(boundTime / plainTime)
    }
    ratios.sort((a, b) => a - b)
    return ratios[8] ?? 0
  })
  expect(ratio).toBeLessThan(1.5)
  const { shown, shared } = await texts(page)
  expect(shown === shared).toBe(true)
  expect(shown.length).toBe(MEGABYTE.length + 16)
})
