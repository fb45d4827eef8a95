import type { Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openPage, select, setDemo, stateIs, stateWords, textarea, textIs } from '../support/demo.ts'
import { startMortalServer } from '../support/mortal-server.ts'
import { startServer } from '../support/process.ts'
import { startProxy } from '../support/proxy.ts'

const KEPT = /^Offline, \d+ edits? kept here$/
/** One editor, so that nobody but those of a test takes part. */
const NARROW = { viewport: { width: 800, height: 600 } }

const demo = setDemo()

async function openSaved(url: string): Promise<Page> {
  const page = await openPage(demo.browser, url, onTestFinished, NARROW)
  await stateIs(page, 'Saved')
  return page
}

/** Two editors of one document who share nothing but the server, `text` in front of both. */
async function twoEditors(text: string, place = demo.place()) {
  const ann = await openSaved(place)
  const ben = await openSaved(place)
  await ann.keyboard.insertText(text)
  await textIs(ben, text)
  return { ann, ben }
}

/** The same, of a server that can be killed. */
async function twoBereft(text: string) {
  const server = await startMortalServer(onTestFinished)
  return { server, ...(await twoEditors(text, `${server.url}d/notes`)) }
}

describe('one editor', () => {
  test('the page is ready to type into, and tells what it took to store a key', async () => {
    const page = await openSaved(demo.url)
    expect(await page.title()).toBe('welcome – coedit')
    expect(await page.locator('.state-detail').innerText()).toBe('on disk')
    await page.keyboard.type('x')
    await page.locator('.state-detail', { hasText: /^on disk · (< 1|\d+) ms$/ }).waitFor()
    expect(await stateWords(page)).toBe('Saved')
  })

  test('Saved is not vouched for from a key on, and Saving is said and spun only after half a second', async () => {
    const line = await startProxy({ release: onTestFinished, target: demo.url })
    const page = await openSaved(`${line.url}d/notes`)
    line.hold()
    const seen = await page.evaluateHandle(() => {
      const chip = document.querySelector<HTMLElement>('.state')
      if (chip === null) throw new Error('the page has no state')
      const seen: { kind: string | undefined; words: string | null; at: number }[] = []
      const look = () => {
        const words = chip.querySelector('.state-words')?.textContent ?? null
        seen.push({ kind: chip.dataset.kind, words, at: performance.now() })
      }
      new MutationObserver(look).observe(chip, { subtree: true, childList: true, attributes: true })
      return seen
    })
    await page.keyboard.type('x')
    await stateIs(page, 'Saving…')
    line.letThrough()
    await stateIs(page, 'Saved')
    const steps = await seen.jsonValue()
    const [first] = steps
    expect(first).toMatchObject({ kind: 'pending', words: 'Saved' })
    const saving = steps.find(({ words }) => words === 'Saving…')
    expect(saving?.kind).toBe('working')
    expect((saving?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(490)
  })

  test('a reload, and a restart of the killed server, show the text', async () => {
    const server = await startMortalServer(onTestFinished)
    const page = await openSaved(`${server.url}d/notes`)
    await page.keyboard.insertText('one\ntwo')
    await stateIs(page, 'Saved')
    await page.reload()
    await textIs(page, 'one\ntwo')
    await server.kill()
    await server.restart()
    await page.reload()
    await textIs(page, 'one\ntwo')
  })

  test('documents with unusual names are told apart', async () => {
    const page = await openPage(demo.browser, demo.url, onTestFinished, NARROW)
    const names = ['a/b', 'a%2Fb', 'été 😀', '100%', 'a?b#c']
    for (const name of names) {
      await page.goto(`${demo.url}d/${encodeURIComponent(name)}`)
      await stateIs(page, 'Saved')
      expect(await page.locator('h1').innerText()).toBe(name)
      await page.keyboard.insertText(name)
      await stateIs(page, 'Saved')
    }
    for (const name of names) {
      await page.goto(`${demo.url}d/${encodeURIComponent(name)}`)
      await textIs(page, name)
    }
  })

  test('a new document is empty and has a name of its own', async () => {
    const page = await openSaved(demo.url)
    await page.keyboard.type('of the welcome page')
    await stateIs(page, 'Saved')
    await page.getByText('New document').click()
    await page.waitForURL(`${demo.url}d/*`)
    await stateIs(page, 'Saved')
    await textIs(page, '')
  })

  test('the page works below a base path', async () => {
    const server = await startServer({ release: onTestFinished, flags: ['--base-path', '/team/x'] })
    const ann = await openSaved(`${server.url}d/notes`)
    await ann.keyboard.insertText('hello')
    const ben = await openSaved(`${server.url}d/notes`)
    await textIs(ben, 'hello')
    await ben.getByText('New document').click()
    await ben.waitForURL(`${server.url}d/*`)
    const welcome = await openSaved(server.url)
    expect(await welcome.title()).toBe('welcome – coedit')
  })

  test('the second tab opens on the same document', async () => {
    const page = await openSaved(demo.place())
    await page.keyboard.insertText('hello')
    const [second] = await Promise.all([page.waitForEvent('popup'), page.getByText('Open a second tab').click()])
    await textIs(second, 'hello')
  })
})

describe('two editors', () => {
  test('typing at the same time in different places converges', async () => {
    const { ann, ben } = await twoEditors('middle')
    await select(ann, 0)
    await select(ben, 6)
    await Promise.all([ann.keyboard.type('from ann '), ben.keyboard.type(' from ben')])
    await textIs(ann, 'from ann middle from ben')
    await textIs(ben, 'from ann middle from ben')
  })

  test('typing in the middle keeps the other one’s caret and selection', async () => {
    const { ann, ben } = await twoEditors('one three')
    await select(ben, 4, 9)
    await select(ann, 4)
    await ann.keyboard.type('two ')
    await textIs(ben, 'one two three')
    await ben.keyboard.type('four')
    await textIs(ann, 'one two four')
  })

  test('pasting over a selection, deleting to both sides, emoji', async () => {
    const { ann, ben } = await twoEditors('a😀b')
    await select(ann, 1, 3)
    await ann.keyboard.insertText('😁')
    await textIs(ben, 'a😁b')
    await ann.keyboard.press('Backspace')
    await textIs(ben, 'ab')
    await ann.keyboard.press('Delete')
    await textIs(ben, 'a')
    await ann.keyboard.press('ControlOrMeta+a')
    await ann.keyboard.press('ControlOrMeta+c')
    await ann.keyboard.press('ControlOrMeta+v')
    await ann.keyboard.press('ControlOrMeta+v')
    await textIs(ben, 'aa')
  })

  test('undo takes back one’s own edit and leaves the other’s', async () => {
    const { ann, ben } = await twoEditors('start ')
    await textarea(ben).focus()
    await select(ben, 6)
    await ben.keyboard.insertText('ben ')
    await textIs(ann, 'start ben ')
    await ann.keyboard.press('ControlOrMeta+z')
    await textIs(ben, 'ben ')
    await textIs(ann, 'ben ')
  })
})

describe('a server that dies', () => {
  test('killed while somebody types: not Saved; back again: Saved, and the other one has it all', async () => {
    const { server, ann, ben } = await twoBereft('')
    const words = 'the quick brown fox jumps over the lazy dog'
    const typing = ann.keyboard.type(words, { delay: 10 })
    await ben.waitForFunction(() => document.querySelector('textarea')?.value.includes('quick'))
    await server.kill()
    await typing
    await stateIs(ann, KEPT)
    expect(await textarea(ann).inputValue()).toBe(words)

    await server.restart()
    await stateIs(ann, 'Saved')
    await textIs(ben, words)
  })

  test('edits of both made meanwhile are merged', async () => {
    const { server, ann, ben } = await twoBereft('middle')
    await server.kill()
    await Promise.all([stateIs(ann, 'Offline'), stateIs(ben, 'Offline')])
    await select(ann, 0, 1)
    await ann.keyboard.type('M')
    await select(ben, 6)
    await ben.keyboard.type('!')
    await server.restart()
    await Promise.all([textIs(ann, 'Middle!'), textIs(ben, 'Middle!')])
    await Promise.all([stateIs(ann, 'Saved'), stateIs(ben, 'Saved')])
  })

  test('without a server nothing passes between these two browsers, so none of these tests can pass without one', async () => {
    const { server, ann, ben } = await twoBereft('shared')
    await server.kill()
    await Promise.all([stateIs(ann, 'Offline'), stateIs(ben, 'Offline')])
    await ann.keyboard.type(' no more')
    // The other page has tried to reconnect since: what could have come, would have.
    await ben.waitForEvent('websocket')
    await ben.waitForEvent('websocket')
    expect(await textarea(ben).inputValue()).toBe('shared')
    expect(await stateWords(ann)).toMatch(KEPT)
  })
})
