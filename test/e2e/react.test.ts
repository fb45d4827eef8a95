import { fileURLToPath } from 'node:url'
import type { Browser, Page, WebSocket } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterTests } from '../support/after-tests.ts'
import { bundleScript } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { openPage, textIs } from '../support/demo.ts'
import { serveFiles } from '../support/file-server.ts'
import { startServer } from '../support/process.ts'
import type { EditorProps } from './pages/react.ts'

const releaseAll = afterTests()
let browser: Browser
let address: string
let server: { readonly url: string }

beforeAll(async () => {
  const script = await bundleScript(fileURLToPath(new URL('pages/react.ts', import.meta.url)), 'app')
  const page = '<!doctype html><script src="app.js"></script><body></body>'
  address = await serveFiles(
    afterAll,
    new Map([
      ['index.html', page],
      ['app.js', script],
    ]),
  )
  browser = await launchChromium()
  server = await startServer({ release: releaseAll })
})

afterAll(() => browser.close())

let documents = 0
function propsOfFreshDocument(): EditorProps {
  documents += 1
  return { url: server.url, document: `document ${documents}`, name: 'Ann', isControlled: true, hasTextarea: true }
}

/** An editor in a page of its own, and the sockets of that page that are open. */
interface Editor {
  readonly page: Page
  readonly sockets: ReadonlySet<WebSocket>
}

async function open(props: EditorProps, state = 'Saved'): Promise<Editor> {
  const page = await openPage(browser, address, onTestFinished)
  const sockets = new Set<WebSocket>()
  page.on('websocket', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await page.evaluate((initial) => app.hydrate(initial), props)
  await stateIs(page, state)
  return { page, sockets }
}

function stateIs(page: Page, state: string): Promise<void> {
  return page.locator(`#state:text-is("${state}")`).waitFor()
}

function peersAre(page: Page, names: string): Promise<void> {
  return page.locator(`#peers:text-is("${names}")`).waitFor({ state: 'attached' })
}

function render(page: Page, props: EditorProps | null): Promise<void> {
  return page.evaluate((next) => app.render(next), props)
}

/** Types of the event listeners of what an expression names. */
async function listeners(page: Page, expression: string): Promise<string[]> {
  const session = await page.context().newCDPSession(page)
  const { result } = await session.send('Runtime.evaluate', { expression })
  if (result.objectId === undefined) throw new Error(`${expression} is no object`)
  const { listeners: found } = await session.send('DOMDebugger.getEventListeners', { objectId: result.objectId })
  return found.map(({ type }) => type).sort()
}

describe('in StrictMode, which mounts all twice', () => {
  test('there is one connection, others see one editor, and nothing is left when it is unmounted', async () => {
    const props = propsOfFreshDocument()
    const ann = await open(props)
    const ben = await open({ ...props, name: 'Ben' })
    await peersAre(ben.page, 'Ann')
    await peersAre(ann.page, 'Ben')
    expect(ann.sockets.size).toBe(1)

    await ann.page.evaluate('textarea = document.querySelector("textarea")')
    await render(ann.page, null)
    await peersAre(ben.page, '')
    expect(ann.sockets.size).toBe(0)
    // React itself listens for `invalid` on each textarea.
    expect(await listeners(ann.page, 'textarea')).toEqual(['invalid'])
    const leftByOne = [await listeners(ann.page, 'window'), await listeners(ann.page, 'document')]
    await render(ann.page, props)
    await stateIs(ann.page, 'Saved')
    await render(ann.page, null)
    await peersAre(ben.page, '')
    expect([await listeners(ann.page, 'window'), await listeners(ann.page, 'document')]).toEqual(leftByOne)
  })

  test('the page takes over what the server has rendered without a complaint', async () => {
    const { page } = await open(propsOfFreshDocument())
    expect(await page.evaluate(() => app.complaints)).toEqual([])
  })
})

describe('another rendering', () => {
  test('with options of the same values keeps the connection, and another name is what others see', async () => {
    const props = propsOfFreshDocument()
    const ann = await open(props)
    const ben = await open({ ...props, name: 'Ben' })
    await peersAre(ben.page, 'Ann')
    const [socket] = ann.sockets
    await render(ann.page, { ...props, name: 'Anna' })
    await peersAre(ben.page, 'Anna')
    expect([...ann.sockets]).toEqual([socket])
  })

  test('gives the connection its token function', async () => {
    const props: EditorProps = { ...propsOfFreshDocument(), token: 'refused' }
    const { page } = await open(props, 'TOKEN_FAILED')
    await render(page, { ...props, token: 'given' })
    await stateIs(page, 'Saved')
  })

  test('with another document ends the connection and makes another one', async () => {
    const props = propsOfFreshDocument()
    const ann = await open(props)
    const ben = await open({ ...props, name: 'Ben' })
    await ann.page.locator('textarea').pressSequentially('the first')
    await textIs(ben.page, 'the first')
    await render(ann.page, { ...props, document: propsOfFreshDocument().document })
    await textIs(ann.page, '')
    await peersAre(ben.page, '')
    await ann.page.locator('textarea').pressSequentially('the second')
    await stateIs(ann.page, 'Saved')
    expect(await ben.page.locator('textarea').inputValue()).toBe('the first')
    expect(ann.sockets.size).toBe(1)
  })
})

describe.each([
  ['controlled', true],
  ['uncontrolled', false],
])('a %s textarea', (_, isControlled) => {
  test('loses nothing while both type, and React knows the text', async () => {
    const props = { ...propsOfFreshDocument(), isControlled }
    const ann = await open(props)
    const ben = await open({ ...props, name: 'Ben' })
    const [annText, benText] = [ann.page.locator('textarea'), ben.page.locator('textarea')]
    await Promise.all([annText.pressSequentially('a'.repeat(60)), benText.pressSequentially('b'.repeat(60))])
    await Promise.all([stateIs(ann.page, 'Saved'), stateIs(ben.page, 'Saved')])
    await ann.page.waitForFunction(() => document.querySelector('textarea')?.value.length === 120)
    const text = await annText.inputValue()
    expect([...text].sort().join('')).toBe('a'.repeat(60) + 'b'.repeat(60))
    await textIs(ben.page, text)
    for (const { page } of [ann, ben]) await page.locator(`output:text-is("${text}")`).waitFor()
  })

  test('that comes late shows what is there, and leaves it as it is', async () => {
    const props = { ...propsOfFreshDocument(), isControlled }
    const ann = await open(props)
    await ann.page.locator('textarea').pressSequentially('hello')
    await stateIs(ann.page, 'Saved')
    const ben = await open({ ...props, name: 'Ben' })
    await textIs(ben.page, 'hello')
    await ben.page.locator('output:text-is("hello")').waitFor()
    await ben.page.locator('textarea').press('End')
    await ben.page.locator('textarea').pressSequentially(' you')
    await textIs(ann.page, 'hello you')
  })

  test('that comes to a connection with a text, or back to it, shows it and leaves it as it is', async () => {
    const props = { ...propsOfFreshDocument(), isControlled }
    const ann = await open(props)
    const ben = await open({ ...props, name: 'Ben', hasTextarea: false })
    await ann.page.locator('textarea').pressSequentially('hello')
    for (const text of ['hello', 'hello you']) {
      await stateIs(ann.page, 'Saved')
      await render(ben.page, { ...props, name: 'Ben' })
      await textIs(ben.page, text)
      await ben.page.locator(`output:text-is("${text}")`).waitFor()
      await render(ben.page, { ...props, name: 'Ben', hasTextarea: false })
      await ben.page.locator('textarea').waitFor({ state: 'detached' })
      if (text === 'hello') await ann.page.locator('textarea').pressSequentially(' you')
    }
    expect(await ann.page.locator('textarea').inputValue()).toBe('hello you')
  })
})
