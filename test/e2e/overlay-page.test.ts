import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { LINES, setOverlayStage, TEXTAREA } from './harness/overlay-stage.ts'

const stage = setOverlayStage()

/** The types of event for which there are listeners at what an expression gives. */
async function listenerTypes(page: Page, expression: string): Promise<string[]> {
  const session = await page.context().newCDPSession(page)
  const { result } = await session.send('Runtime.evaluate', { expression })
  if (result.objectId === undefined) throw new Error(`${expression} is no object`)
  const { listeners } = await session.send('DOMDebugger.getEventListeners', { objectId: result.objectId })
  return listeners.map(({ type }) => type)
}

describe('the page', () => {
  test('keeps its layout, its clicks, and its accessible text', async () => {
    const html = `<p>Above</p>${TEXTAREA}<p>Below</p>`
    const page = await stage.openMarkup(html)
    const measure = () => [
      ...Array.from(document.querySelectorAll('p, textarea'), (element) =>
        JSON.stringify(element.getBoundingClientRect()),
      ),
      document.documentElement.scrollWidth,
      document.documentElement.scrollHeight,
    ]
    const before = await page.evaluate(measure)
    await page.evaluate(async (text) => {
      overlays.begin(text)
      overlays.scene.peer('Ann').select(3)
      await overlays.painted()
    }, LINES)
    expect(await page.evaluate(measure)).toEqual(before)
    const hit = await page.evaluate(() => {
      const caret = overlays.scene.caret('Ann')
      return document.elementFromPoint(caret?.left ?? 0, (caret?.top ?? 0) + 2)?.localName
    })
    expect(hit).toBe('textarea')
    const hidden = await page.evaluate(() => overlays.scene.drawn('name')[0].closest('[aria-hidden=true]') !== null)
    expect(hidden).toBe(true)
  })

  test('tells politely who joins and who leaves, several at a time, and not of a reader who was here first', async () => {
    const page = await stage.openBlank()
    await page.clock.install()
    await page.setContent(`<!doctype html>${TEXTAREA}`)
    await page.addScriptTag({ content: stage.script })
    const told = () =>
      page.evaluate(() => {
        const region = document.querySelector('[role=status]')
        return region?.closest('[aria-hidden=true]') === null ? region.textContent : 'hidden'
      })
    await page.evaluate(() => {
      overlays.begin('text')
      for (const name of ['Ann', 'Bo', 'Cy', 'Di', 'Ed']) overlays.scene.peer(name).select(0)
    })
    expect(await told()).toBe('')
    await page.clock.runFor(1_000)
    expect(await told()).toBe('Ann, Bo, Cy and 2 more joined')
    await page.evaluate(() => {
      overlays.scene.peer('Bo').leave()
      overlays.scene.peer('Flo').select(1)
      overlays.scene.peer('Ann').select(2)
    })
    await page.clock.runFor(1_000)
    expect(await told()).toBe('Flo joined. Bo left')
  })

  test('has nothing left of an overlay that was destroyed', async () => {
    const page = await stage.open('text', `<main>${TEXTAREA}</main>`)
    expect(await listenerTypes(page, 'overlays.scene.element')).toContain('pointermove')
    const left = await page.evaluate(async () => {
      const { scene } = overlays
      const listeners = () => [...scene.awareness._observers.values()].reduce((sum, { size }) => sum + size, 0)
      scene.peer('Ann').select(1)
      await overlays.painted()
      const before = listeners()
      scene.overlay.destroy()
      scene.endAnnouncements()
      scene.element.scrollTop = 5
      scene.peer('Bo').select(2)
      await overlays.painted()
      return [before - listeners(), overlays.part('main').childNodes.length]
    })
    // One for the cursors and one for the announcements.
    expect(left).toEqual([2, 1])
    const types = await Promise.all(
      ['window', 'document', 'overlays.scene.element'].map((at) => listenerTypes(page, at)),
    )
    expect(types.flat().filter((type) => /^(pointermove|pointerleave|scroll|resize)$/.test(type))).toEqual([])
  })

  test('uses the colours of the system where these are forced, other ones than for one’s own caret', async () => {
    const page = await stage.open('text', TEXTAREA, { forcedColors: 'active' })
    const colors = await page.evaluate(async () => {
      overlays.scene.peer('Ann').color('#ff8800').select(1)
      await overlays.painted()
      const probe = document.createElement('p')
      probe.style.background = 'LinkText'
      document.body.append(probe)
      return [overlays.scene.drawn('caret')[0], probe].map((element) => getComputedStyle(element).backgroundColor)
    })
    expect(colors[0]).toBe(colors[1])
  })

  test('may have a strict content security policy with Trusted Types', async () => {
    const page = await stage.openBlank()
    const policy = "default-src 'none'; script-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'"
    await page.route('http://strict.example/**', (route) =>
      route.request().url().endsWith('.js')
        ? route.fulfill({ contentType: 'text/javascript', body: stage.script })
        : route.fulfill({
            contentType: 'text/html',
            headers: { 'content-security-policy': policy },
            body: `<!doctype html>${TEXTAREA.replace(/ style="[^"]*"/, '')}<script src="overlays.js"></script>`,
          }),
    )
    await page.goto('http://strict.example/')
    const width = await page.evaluate(async () => {
      overlays.begin('text')
      overlays.scene.peer('Ann').select(1, 3)
      await overlays.painted()
      return getComputedStyle(overlays.scene.drawn('caret')[0]).minWidth
    })
    expect(width).toBe('2px')
  })
})

test('a second overlay of one element takes the place of the first', async () => {
  const page = await stage.open('one two')
  const counts = await page.evaluate(async () => {
    const { scene } = overlays
    const again = new overlays.OverlayScene(scene.element, 'one two')
    scene.overlay.destroy()
    const count = () => document.querySelectorAll('coedit-peers').length
    const before = count()
    again.overlay.destroy()
    return [before, count()]
  })
  expect(counts).toEqual([1, 0])
})
