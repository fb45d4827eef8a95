import type { Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openPage, openTab, pane, setDemo, stateIs, textarea, textIs } from '../support/demo.ts'
import { startServer } from '../support/process.ts'
import { cases } from '../support/runs.ts'

const WIDE = { viewport: { width: 1280, height: 800 } }
/** One editor, so that nobody but those of a test takes part. */
const NARROW = { viewport: { width: 800, height: 600 } }

const demo = setDemo()

async function openSaved(url: string, options = NARROW): Promise<Page> {
  const page = await openPage(demo.browser, url, onTestFinished, options)
  await stateIs(page, 'Saved')
  return page
}

function people(page: Page) {
  return page.getByRole('list', { name: 'People who are here' }).getByRole('button')
}

function person(page: Page, name: string) {
  return people(page).and(page.getByRole('button', { name: new RegExp(`^${name}, `) }))
}

describe('the ghost', () => {
  const ghost = (page: Page) => pane(page, 1).locator('.ghost')

  test('types into the second editor of an empty document, with a label, until the first key', async () => {
    const page = await openSaved(demo.place(), WIDE)
    await ghost(page).getByText('Ghost · demo').waitFor()
    await ghost(page).getByText('Boo! I am only a ghost').waitFor()
    await page.keyboard.press('Shift')
    expect(await ghost(page).count()).toBe(1)
    // What one reads is only the ghost: neither the placeholder nor the first editor's name lies below it.
    const placeholder = await textarea(page, 1).evaluate((field) => getComputedStyle(field, '::placeholder').opacity)
    expect(placeholder).toBe('0')
    expect(await pane(page, 1).locator('.caret').count()).toBe(0)

    await page.keyboard.press('h')
    expect(await ghost(page).count()).toBe(0)
    await textIs(page, 'h', 1)
    await pane(page, 1).locator('.caret').waitFor()
  })

  test('leaves nothing in the document, and does not come to one with text', async () => {
    const place = demo.place()
    const page = await openSaved(place, WIDE)
    await ghost(page).waitFor()
    expect(await textarea(page, 1).inputValue()).toBe('')
    const other = await openSaved(place)
    expect(await textarea(other).inputValue()).toBe('')
    await other.keyboard.insertText('from elsewhere')
    await ghost(page).waitFor({ state: 'detached' })
    await other.context().close()
    await page.reload()
    await stateIs(page, 'Saved', 1)
    expect(await ghost(page).count()).toBe(0)
  })

  test('goes with its editor, and says all at once to who wants no motion', async () => {
    const page = await openPage(demo.browser, demo.place(), onTestFinished, { ...WIDE, reducedMotion: 'reduce' })
    await ghost(page).waitFor()
    expect(await ghost(page).innerText()).toMatch(/^Boo![\s\S]*before that\.\s*Ghost · demo$/)
    await page.getByRole('button', { name: 'Side by side' }).click()
    expect(await page.locator('.ghost').count()).toBe(0)
  })
})

describe('the way on', () => {
  test('leads to the code on the page', async () => {
    const page = await openSaved(demo.place())
    await page.getByRole('button', { name: 'Code', exact: true }).click()
    await page.locator('pre').waitFor()
    expect(await page.evaluate(() => document.activeElement?.localName)).toBe('summary')
  })

  test('leads to the docs, in which every link leads somewhere', async () => {
    const { url } = await startServer({ release: onTestFinished, flags: ['--base-path', '/team'] })
    const page = await openSaved(`${url}d/notes`)
    await page.getByRole('link', { name: 'Docs' }).click()
    await page.getByRole('heading', { name: 'bindTextarea(element, text, options)' }).waitFor()
    for (const name of ['In a page', 'The server', 'The protocol']) {
      await page.getByRole('link', { name, exact: true }).click()
      await page.waitForFunction((current) => document.querySelector('[aria-current]')?.textContent === current, name)
      expect(await page.locator('table').count()).toBeGreaterThan(0)
      const broken = await page.evaluate(async () => {
        const links = [...document.querySelectorAll('a')].filter(({ origin }) => origin === location.origin)
        const checked = links.map(async ({ href }) => {
          const { hash, pathname } = new URL(href)
          const answer = await fetch(pathname)
          const there = new DOMParser().parseFromString(await answer.text(), 'text/html')
          const isFound = answer.ok && (hash === '' || there.getElementById(decodeURIComponent(hash.slice(1))) !== null)
          return isFound ? [] : [href]
        })
        return (await Promise.all(checked)).flat()
      })
      expect(broken).toEqual([])
    }
  })

  test('leads to what others would see who may only read', async () => {
    const place = demo.place()
    const page = await openSaved(place)
    const [reader] = await Promise.all([
      page.waitForEvent('popup'),
      page.getByRole('link', { name: 'Read-only link' }).click(),
    ])
    await stateIs(reader, 'Read-only')
    expect(reader.url()).toBe(`${place}?access=read`)
  })
})

describe('a title', () => {
  test('of a new document is set by who writes, shows to all, and names the file', async () => {
    const { url } = demo
    const ann = await openSaved(`${url}new`)
    expect(await ann.title()).toBe('Untitled document – coedit')
    expect(await textarea(ann).evaluate((field) => field === document.activeElement)).toBe(true)
    const ben = await openSaved(ann.url())
    const reader = await openPage(demo.browser, `${ann.url()}?access=read`, onTestFinished, NARROW)
    await ann.getByLabel('Title of the document').fill('Bikes & cakes')
    await ben.waitForFunction(() => document.title === 'Bikes & cakes – coedit')
    expect(await ben.getByLabel('Title of the document').inputValue()).toBe('Bikes & cakes')
    await ben.getByLabel('Title of the document').press('End')
    await ben.keyboard.type('!')
    await reader.getByRole('heading', { name: 'Bikes & cakes!' }).waitFor()
    expect(await reader.getByLabel('Title of the document').isVisible()).toBe(false)
    await textIs(ann, '')
    const [download] = await Promise.all([
      ann.waitForEvent('download'),
      ann.getByRole('button', { name: 'Download .txt' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('Bikes & cakes!.txt')
    await ann.reload()
    await ann.getByRole('heading', { name: 'Bikes & cakes!' }).waitFor({ state: 'attached' })
  })

  test('is the name where that is one for people, which has no field where it is short', async () => {
    const { url } = demo
    const page = await openSaved(`${url}d/notes`)
    expect(await page.locator('h1').innerText()).toBe('notes')
    expect(await page.getByLabel('Title of the document').isVisible()).toBe(false)
    const long = 'Minutes of the general meeting in 2026'
    await page.goto(`${url}d/${encodeURIComponent(long)}`)
    await page.waitForFunction((name) => document.title === `${name} – coedit`, long)
    expect(await page.getByLabel('Title of the document').getAttribute('placeholder')).toBe(long)
  })
})

describe('a wrong address', () => {
  test.each(cases(['/team/coedit'], ['']))(
    'below "%s" offers to create the document that it names',
    async (basePath) => {
      const { url } = await startServer({ release: onTestFinished, flags: ['--base-path', basePath] })
      const page = await openPage(demo.browser, 'about:blank', onTestFinished, NARROW)
      for (const [path, name] of [
        ['notes', 'notes'],
        ['d/plans/2026%20autumn', 'plans/2026 autumn'],
        ['a/b/', 'a/b'],
        ['100%25', '100%'],
      ]) {
        const answer = await page.goto(`${url}${path}`)
        expect(answer?.status()).toBe(404)
        await page.getByRole('heading', { name: 'There is nothing at this address.' }).waitFor()
        expect(await textarea(page).isVisible()).toBe(false)
        await page.getByRole('link', { name: `Create “${name}”`, exact: true }).click()
        await stateIs(page, 'Saved')
        expect(page.url()).toBe(`${url}d/${encodeURIComponent(name ?? '')}`)
        expect(await page.locator('h1').innerText()).toBe(name)
      }
    },
  )

  test('that names nothing offers a document with a secret name', async () => {
    const { url } = demo
    const page = await openPage(demo.browser, `${url}d/`, onTestFinished, NARROW)
    await page.getByRole('link', { name: 'Start one with a secret name' }).waitFor()
    expect(await page.getByRole('link', { name: /^Create/ }).count()).toBe(0)
    await page.getByRole('link', { name: 'Open the welcome document' }).click()
    await stateIs(page, 'Saved')
    expect(page.url()).toBe(url)
  })
})

describe('who is here', () => {
  test('is oneself first and then the others as they came, whoever comes and goes', async () => {
    const place = demo.place()
    const page = await openSaved(place)
    const others: Page[] = []
    for (const name of ['Bo', 'Cy', 'Di']) {
      const other = await openSaved(place)
      await other.getByLabel('Your name').fill(name)
      await person(page, name).waitFor()
      others.push(other)
    }
    await page.getByLabel('Your name').fill('Ann')
    const names = () =>
      people(page).evaluateAll((all) => all.map((button) => button.ariaLabel?.replace(/, [A-Z]{1,2}\b/, '')))
    expect(await names()).toEqual(['Ann, you', 'Bo', 'Cy', 'Di'])
    const [bo, cy] = others
    if (bo === undefined || cy === undefined) throw new Error('nobody is there')
    await people(page).nth(3).focus()
    await cy.getByRole('button', { name: 'Go offline' }).click()
    await people(page).nth(3).waitFor({ state: 'detached' })
    expect(await names()).toEqual(['Ann, you', 'Bo', 'Di'])
    await cy.getByRole('button', { name: 'Go online' }).click()
    await people(page).nth(3).waitFor()
    expect(await names()).toEqual(['Ann, you', 'Bo', 'Cy', 'Di'])
    await bo.getByLabel('Your name').fill('Zoe')
    await person(page, 'Zoe').waitFor()
    expect(await names()).toEqual(['Ann, you', 'Zoe', 'Cy', 'Di'])
    expect(await page.evaluate(() => document.activeElement?.ariaLabel)).toBe('Di, D')
  })

  test('leads to where that person types, which is told at the edge where it is out of sight', async () => {
    const place = demo.place()
    const page = await openSaved(place)
    await page.keyboard.insertText('line\n'.repeat(200))
    await textarea(page).evaluate((field) => field.scrollTo(0, 0))
    const other = await openSaved(place)
    await other.getByLabel('Your name').fill('Bo')
    await textarea(other).press('ControlOrMeta+End')
    await other.keyboard.type('here')
    await page.getByText('↓ Bo').waitFor()
    expect(await pane(page, 0).locator('.caret').count()).toBe(0)
    await person(page, 'Bo').click()
    await pane(page, 0).locator('.caret').waitFor()
    expect(await textarea(page).evaluate((field) => field.scrollTop)).toBeGreaterThan(1_000)
    await people(page).first().click()
    expect(await textarea(page).evaluate((field) => field === document.activeElement)).toBe(true)
  })

  test('is in two tabs of one browser, too', async () => {
    const place = demo.place()
    const page = await openSaved(place)
    const tab = await openTab(page.context(), place)
    await people(page).nth(1).waitFor()
    await people(tab).nth(1).waitFor()
  })
})
