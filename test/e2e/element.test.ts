import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterTests } from '../support/after-tests.ts'
import { bundleScript } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { openPage, textIs } from '../support/demo.ts'
import { serveFiles } from '../support/file-server.ts'
import { startServer } from '../support/process.ts'
import type {} from './pages/element.ts'

const releaseAll = afterTests()
let browser: Browser
let script: string
let server: { readonly url: string }

beforeAll(async () => {
  script = await bundleScript(fileURLToPath(new URL('pages/element.ts', import.meta.url)), 'coedit')
  browser = await launchChromium()
  server = await startServer({ release: releaseAll })
})

afterAll(() => browser.close())

let documents = 0
/** The tests share a server, and so none shares a document. */
function freshDocument(): string {
  documents += 1
  return `document ${documents}`
}

/** Opens a page whose base address is the server's. `inHead` runs before the body is parsed. */
async function openBody(body: string, inHead = ''): Promise<Page> {
  const head = `<!doctype html><base href="${server.url}"><script>${script}; coedit.listen(); ${inHead}</script>`
  const url = await serveFiles(onTestFinished, new Map([['index.html', `${head}<body>${body}</body>`]]))
  return openPage(browser, url, onTestFinished)
}

/** Opens a page where the element is defined when all of it is there. */
async function open(body: string): Promise<Page> {
  const page = await openBody(body)
  await page.evaluate(() => coedit.defineCoeditTextarea())
  return page
}

function openReader(document: string): Promise<Page> {
  return open(`<coedit-textarea document="${document}" user-name="Ben"></coedit-textarea>`)
}

/** A page with an editor, its state stored, and another editor of the same document who sees it. */
async function openTwo(body: (attributes: string) => string) {
  const document = freshDocument()
  const [page, reader] = [await open(body(`document="${document}"`)), await openReader(document)]
  await reader.waitForFunction(() => coedit.others() === 1)
  await isSaved(page)
  return { document, page, reader }
}

async function isSaved(page: Page): Promise<void> {
  await page.waitForFunction(() => coedit.find().connection?.state.saved === true)
}

/** Says whether the page's element has the connection of this moment still, and no other was opened meanwhile. */
async function watchConnection(page: Page): Promise<() => Promise<boolean>> {
  let sockets = 0
  page.on('websocket', () => (sockets += 1))
  const former = await page.evaluateHandle(() => coedit.find().connection)
  return async () => sockets === 0 && (await page.evaluate((old) => coedit.find().connection === old, former))
}

function setAttribute(page: Page, name: string, value: string): Promise<void> {
  return page.evaluate(([name, value]) => coedit.find().setAttribute(name, value), [name, value] as const)
}

describe('the textarea', () => {
  test('that it wraps is shared, and keeps its attributes, its label and its place in a form', async () => {
    const textarea = '<textarea name="notes" rows="7" required maxlength="99" aria-describedby="hint"></textarea>'
    const { page, reader } = await openTwo(
      (attributes) => `<form><label>Notes <coedit-textarea ${attributes}>${textarea}</coedit-textarea></label></form>`,
    )
    await page.getByLabel('Notes').pressSequentially('hello')
    await textIs(reader, 'hello')
    const form = await page.evaluate(() => [...new FormData(document.querySelector('form') ?? undefined)])
    expect(form).toEqual([['notes', 'hello']])
    const kept = { name: 'notes', rows: '7', required: '', maxlength: '99', 'aria-describedby': 'hint' }
    for (const [name, value] of Object.entries(kept)) {
      expect(await page.locator('textarea').getAttribute(name)).toBe(value)
    }
  })

  test('shows a connection that it is given, follows its access, tells its states and does not end it', async () => {
    const document = freshDocument()
    const page = await open('<coedit-textarea document="another"></coedit-textarea>')
    const reader = await openReader(document)
    const given = await page.evaluateHandle(([url, name]) => coedit.giveConnection(url, name), [
      server.url,
      document,
    ] as const)
    await isSaved(page)
    await page.locator('textarea').pressSequentially('hello')
    await textIs(reader, 'hello')
    expect(await page.evaluate(() => coedit.told.states.at(-1))).toBe('online')

    await page.evaluate(() => coedit.find().remove())
    await given.evaluate((connection) => connection.text.insert(0, 'still, '))
    await textIs(reader, 'still, hello')
    await page.evaluate(() => coedit.told.states.splice(0))
    await given.evaluate((connection) => connection.pause())
    expect(await page.evaluate(() => coedit.told.states)).toEqual([])
  })

  test('is made where the page gives none', async () => {
    const { page, reader } = await openTwo((attributes) => `<coedit-textarea ${attributes}></coedit-textarea>`)
    await page.locator('coedit-textarea > textarea').pressSequentially('hello')
    await textIs(reader, 'hello')
  })

  test('is waited for while the page is parsed', async () => {
    const body = `<coedit-textarea document="${freshDocument()}"><textarea name="notes"></textarea></coedit-textarea>`
    const page = await openBody(body, 'coedit.defineCoeditTextarea()')
    await isSaved(page)
    expect(await page.evaluate(() => coedit.find().binding?.element === document.querySelector('textarea'))).toBe(true)
    expect(await page.locator('textarea').count()).toBe(1)
  })

  test('is read-only where access is, and again as its author wants it where access is not', async () => {
    const { page, reader } = await openTwo((attributes) => `<coedit-textarea ${attributes}></coedit-textarea>`)
    const textarea = page.locator('textarea')
    await setAttribute(page, 'access', 'read')
    await page.waitForFunction(() => coedit.find().connection?.state.access === 'read')
    expect(await textarea.isEditable()).toBe(false)
    await reader.locator('textarea').pressSequentially('hello')
    await textIs(page, 'hello')

    await setAttribute(page, 'access', 'write')
    await isSaved(page)
    await textarea.press('End')
    await textarea.pressSequentially(' you')
    await textIs(reader, 'hello you')
  })

  test('that its author wants read-only stays so, whatever access there is', async () => {
    const { page } = await openTwo(
      (attributes) => `<coedit-textarea ${attributes}><textarea readonly></textarea></coedit-textarea>`,
    )
    expect(await page.locator('textarea').isEditable()).toBe(false)
    await setAttribute(page, 'access', 'read')
    await setAttribute(page, 'access', 'write')
    await isSaved(page)
    expect(await page.locator('textarea').isEditable()).toBe(false)
  })
})

describe('the connection', () => {
  test('tells its states by events that bubble, the first one included', async () => {
    const page = await openReader(freshDocument())
    await isSaved(page)
    expect(new Set(await page.evaluate(() => coedit.told.states))).toEqual(new Set(['connecting', 'online']))
  })

  test.each(['append', 'moveBefore', 'remove and append'] as const)('outlives a move by %s', async (method) => {
    const { page, reader } = await openTwo(
      (attributes) => `<main><coedit-textarea ${attributes}></coedit-textarea></main>`,
    )
    const isTheSame = await watchConnection(page)
    await page.evaluate((name) => coedit.moves[name](), method)
    expect(await page.locator('body > coedit-textarea').count()).toBe(1)
    await page.locator('textarea').pressSequentially('hello')
    await textIs(reader, 'hello')
    expect(await isTheSame()).toBe(true)
  })

  test('ends when the element is removed, and another one begins when it is put back', async () => {
    const { page, reader } = await openTwo((attributes) => `<coedit-textarea ${attributes}></coedit-textarea>`)
    const element = await page.evaluateHandle(() => coedit.find())
    await element.evaluate((removed) => removed.remove())
    await reader.waitForFunction(() => coedit.others() === 0)
    expect(await element.evaluate(({ connection, binding }) => ({ connection, binding }))).toEqual({
      connection: null,
      binding: null,
    })

    await reader.locator('textarea').pressSequentially('hello')
    await element.evaluate((removed) => document.body.append(removed))
    await textIs(page, 'hello')
    await reader.waitForFunction(() => coedit.others() === 1)
  })

  test('is another one for another document, and for no document none', async () => {
    const { page, reader } = await openTwo((attributes) => `<coedit-textarea ${attributes}></coedit-textarea>`)
    await reader.locator('textarea').pressSequentially('the first')
    await textIs(page, 'the first')
    await setAttribute(page, 'document', freshDocument())
    await textIs(page, '')
    await reader.waitForFunction(() => coedit.others() === 0)
    await page.locator('textarea').pressSequentially('the second')
    await isSaved(page)
    expect(await reader.locator('textarea').inputValue()).toBe('the first')

    await page.evaluate(() => coedit.find().removeAttribute('document'))
    expect(await page.evaluate(() => coedit.find().connection)).toBe(null)
  })

  test('is the same under another name, which others see', async () => {
    const { page, reader } = await openTwo(
      (attributes) => `<coedit-textarea ${attributes} user-name="Ann" user-color="#aa0000"></coedit-textarea>`,
    )
    await reader.waitForFunction(() => coedit.names().join() === 'Ann,Ben')
    const isTheSame = await watchConnection(page)
    await setAttribute(page, 'user-name', 'Anna')
    await reader.waitForFunction(() => coedit.names().join() === 'Anna,Ben')
    expect(await isTheSame()).toBe(true)
  })

  test('is the same with carets and without, which are there while the attribute is', async () => {
    const { page, reader } = await openTwo((attributes) => `<coedit-textarea ${attributes}></coedit-textarea>`)
    await reader.locator('textarea').pressSequentially('hello')
    await textIs(page, 'hello')
    const isTheSame = await watchConnection(page)
    const withoutCarets = await page.evaluate(() => document.querySelectorAll('*').length)
    await setAttribute(page, 'carets', '')
    await page.getByText('Ben').first().waitFor({ state: 'attached' })
    await page.evaluate(() => coedit.find().removeAttribute('carets'))
    await page.waitForFunction((count) => document.querySelectorAll('*').length === count, withoutCarets)
    expect(await isTheSame()).toBe(true)
  })
})

describe('a token', () => {
  test('is asked of the function that was set before the element was defined', async () => {
    const page = await openBody(`<coedit-textarea document="${freshDocument()}"></coedit-textarea>`)
    const source = await page.evaluateHandle(() => coedit.countingToken('a-token'))
    await source.evaluate(({ ask }) => {
      coedit.find().token = ask
      coedit.defineCoeditTextarea()
    })
    await isSaved(page)
    expect(await source.evaluate(({ calls }) => calls)).toBe(1)
  })

  test('makes another connection where there was none', async () => {
    const page = await openReader(freshDocument())
    await isSaved(page)
    const former = await page.evaluateHandle(() => coedit.find().connection)
    await page.evaluate(() => {
      coedit.find().token = () => 'a-token'
    })
    await page.waitForFunction((old) => coedit.find().connection !== old, former)
    await isSaved(page)
  })

  test('is asked of the function of the moment, by the same connection', async () => {
    const page = await openBody(`<coedit-textarea document="${freshDocument()}"></coedit-textarea>`)
    await page.evaluate(() => {
      coedit.find().token = () => Promise.reject(new Error('nobody is signed in'))
      coedit.defineCoeditTextarea()
    })
    await page.waitForFunction(() => coedit.told.errors.includes('TOKEN_FAILED'))
    const former = await page.evaluateHandle(() => coedit.find().connection)
    await page.evaluate(() => {
      coedit.find().token = () => 'a-token'
    })
    await isSaved(page)
    expect(await page.evaluate((old) => coedit.find().connection === old, former)).toBe(true)
  })
})

test.each([
  ['URL_INVALID', 'url="ftp://host" document="notes"'],
  ['DOCUMENT_INVALID', 'url="ws://127.0.0.1:1" document=""'],
  ['USER_MISSING', 'url="ws://127.0.0.1:1" document="notes" offline'],
])(
  'the mistake %s is told as an event, and as an uncaught error to whoever listens to none',
  async (code, attributes) => {
    const context = await browser.newContext()
    onTestFinished(() => context.close())
    const page = await context.newPage()
    await page.addScriptTag({ content: script })
    const uncaught = page.waitForEvent('pageerror')
    await page.evaluate((html) => {
      coedit.listen()
      coedit.defineCoeditTextarea()
      document.body.innerHTML = html
    }, `<coedit-textarea ${attributes}></coedit-textarea>`)
    expect((await uncaught).name).toBe('ClientError')
    expect(await page.evaluate(() => coedit.told.errors)).toEqual([code])
  },
)
