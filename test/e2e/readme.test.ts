import { fileURLToPath } from 'node:url'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { connect } from '../../client/src/connection/connect.ts'
import { type Alias, bundlePage } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { openPage, textIs } from '../support/demo.ts'
import { serveFiles } from '../support/file-server.ts'
import { ANGULAR } from '../support/frameworks.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { blockIn, filledIn } from '../support/papers.ts'
import { isLong } from '../support/runs.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CLIENT = `${ROOT}/client`
const SERVER_IN_README = 'ws://localhost:1234'

/** An application around a component that a README shows. */
const REACT_PAGE = `
  <div id="root"></div>
  <script type="module">
    import { createElement, StrictMode } from 'react'
    import { createRoot } from 'react-dom/client'
    import { Notes } from './Notes.tsx'
    createRoot(document.querySelector('#root')).render(createElement(StrictMode, null, createElement(Notes)))
  </script>`

const VUE_PAGE = `
  <div id="root"></div>
  <script type="module">
    import { createApp } from 'vue'
    import Notes from './Notes.vue'
    createApp(Notes).mount('#root')
  </script>`

const SVELTE_PAGE = `
  <div id="root"></div>
  <script type="module">
    import { mount } from 'svelte'
    import Notes from './Notes.svelte'
    mount(Notes, { target: document.querySelector('#root') })
  </script>`

const SOLID_PAGE = `
  <div id="root"></div>
  <script type="module">
    import { createComponent, render } from 'solid-js/web'
    import { Notes } from './Solid.tsx'
    render(() => createComponent(Notes, {}), document.querySelector('#root'))
  </script>`

/** Its libraries are compiled for good where they are used; without `ng build` that is in the page. */
const ANGULAR_PAGE = `
  <app-notes></app-notes>
  <script type="module">
    import '@angular/compiler'
    import { bootstrapApplication } from '@angular/platform-browser'
    import { Notes } from './Angular.ts'
    globalThis.application = await bootstrapApplication(Notes)
  </script>`

declare global {
  var application: { destroy(): void }
}

let browser: Browser

beforeAll(async () => {
  browser = await launchChromium()
})

afterAll(() => browser.close())

const built = new Map<string, ReturnType<typeof bundlePage>>()

/**
 * Builds and serves a page as an application that has installed the client would, each page once. Resolves with its
 * address.
 */
async function serve(
  page: string,
  server: string,
  modules: Record<string, string> = {},
  alias: Alias = {},
  root = CLIENT,
): Promise<string> {
  expect([page, ...Object.values(modules)].join()).toContain(SERVER_IN_README)
  const key = JSON.stringify([page, modules, alias])
  const building = built.get(key) ?? bundlePage(page, root, modules, alias)
  built.set(key, building)
  const files = await building
  const led = new Map([...files].map(([name, content]) => [name, content.replaceAll(SERVER_IN_README, server)]))
  return serveFiles(onTestFinished, led)
}

/** Somebody with the page at the top of the client's README. */
async function openEmbed(server: string): Promise<Page> {
  const embed = await blockIn('client/README.md', '# @coedit/client', 'html')
  return openPage(browser, await serve(embed, server), onTestFinished)
}

test.each([
  ['README.md', '# coedit', 'y-websocket'],
  ['client/README.md', '# @coedit/client', 'y-websocket'],
  ['client/README.md', '### A provider of y-websocket', 'y-websocket'],
  ['client/README.md', '### A provider of y-websocket', 'y-websocket-v2'],
])(
  'the page in %s under "%s" is at most ten lines of code, shares its text and says when it is saved: with %s',
  async (readme, heading, provider) => {
    const page = await blockIn(readme, heading, 'html')
    const script = page.slice(page.indexOf('<script'), page.indexOf('</script>'))
    expect(script.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(10)

    const server = await startInProcess({ release: onTestFinished })
    const url = await serve(page, server.url, {}, { 'y-websocket': provider })
    const ann = await openPage(browser, url, onTestFinished)
    const ben = await openPage(browser, url, onTestFinished)
    await ann.locator('textarea').fill('hello')
    await textIs(ben, 'hello')
    await ann.waitForFunction(() => document.title === 'Saved')
  },
)

/** A recipe of the client's README. */
interface Recipe {
  readonly heading: string
  readonly language: 'html' | 'ts' | 'tsx' | 'vue' | 'svelte'
  /** The application around a component. Default: the recipe is a page. */
  readonly page?: string
  /** What the component is called as a file. */
  readonly file?: string
  /** Where what it imports is installed. Default: beside the client. */
  readonly root?: string
  /** Where one types. Default: a textarea. */
  readonly field?: string
}

const RECIPES: readonly Recipe[] = [
  { heading: '# @coedit/client', language: 'html' },
  { heading: '### A custom element', language: 'html' },
  { heading: '### React', language: 'tsx', page: REACT_PAGE, file: 'Notes.tsx' },
  { heading: '### Vue', language: 'vue', page: VUE_PAGE, file: 'Notes.vue' },
  { heading: '### Svelte 5', language: 'svelte', page: SVELTE_PAGE, file: 'Notes.svelte' },
  { heading: '### Solid', language: 'tsx', page: SOLID_PAGE, file: 'Solid.tsx' },
  { heading: '### CodeMirror, or any other editor with a Yjs binding', language: 'html', field: '.cm-content' },
  { heading: '### A provider of y-websocket', language: 'html' },
  { heading: '### Angular', language: 'ts', page: ANGULAR_PAGE, file: 'Angular.ts', root: ANGULAR },
]

test.for(RECIPES)(
  '$heading: shares its text, and takes back its own edits and nobody else’s',
  async (recipe, context) => {
    const { heading, language, page, file = '', root, field = 'textarea' } = recipe
    context.skip(root !== undefined && !isLong(), 'installs 90 MB: npm run test:long')
    const server = await startInProcess({ release: onTestFinished })
    const code = await blockIn('client/README.md', heading, language)
    const ann = await openEmbed(server.url)
    await ann.locator('textarea').pressSequentially('hello')
    const address = page ? await serve(page, server.url, { [file]: code }, {}, root) : await serve(code, server.url)
    const ben = await openPage(browser, address, onTestFinished)
    const editor = ben.locator(field)
    const shows = (text: string) => (field === 'textarea' ? textIs(ben, text) : linesAre(ben, text))

    await shows('hello')
    // On a fresh page there is nothing of one's own, neither by keys nor by menus.
    await editor.press('ControlOrMeta+z')
    await editor.press('ControlOrMeta+u')
    await raiseUndo(editor)
    await shows('hello')
    await editor.press('ControlOrMeta+End')
    await ben.keyboard.type(' there')
    await textIs(ann, 'hello there')
    await ann.locator('textarea').press('Home')
    await ann.keyboard.type('Oh, ')
    await shows('Oh, hello there')
    await editor.press('ControlOrMeta+z')
    await textIs(ann, 'Oh, hello')
    await editor.press('ControlOrMeta+z')
    await editor.press('ControlOrMeta+Shift+Z')
    await textIs(ann, 'Oh, hello there')
    await raiseUndo(editor)
    await textIs(ann, 'Oh, hello')
  },
)

test('an Angular component says when it is saved, and leaves nothing behind when it is destroyed', async ({ skip }) => {
  skip(!isLong(), 'installs 90 MB: npm run test:long')
  const { url } = await startInProcess({ release: onTestFinished })
  const code = await blockIn('client/README.md', '### Angular', 'ts')
  const address = await serve(ANGULAR_PAGE, url, { 'Angular.ts': code }, {}, ANGULAR)
  const [ann, ben] = [await openEmbed(url), await openPage(browser, address, onTestFinished)]
  const name = { ofAnn: ben.getByText('Ann', { exact: true }), ofBen: ann.getByText('Ann', { exact: true }) }
  await ben.locator('textarea').pressSequentially('hello')
  await ben.getByText('Saved').waitFor()
  await textIs(ann, 'hello')
  await ann.locator('textarea').press('Home')
  await name.ofAnn.waitFor({ state: 'attached' })
  await name.ofBen.waitFor({ state: 'attached' })
  await ben.evaluate(() => globalThis.application.destroy())
  await name.ofAnn.waitFor({ state: 'detached' })
  await name.ofBen.waitFor({ state: 'detached' })
})

test('a binding and an overlay work in what Vue makes reactive', async () => {
  const server = await startInProcess({ release: onTestFinished })
  const recipe = await blockIn('client/README.md', '### Vue', 'vue')
  const reactive = filledIn(recipe, {
    'import { ref,': 'import { reactive, ref,',
    'const binding = bindTextarea(textarea.value, notes.text, { awareness: notes.awareness })':
      'const kept = reactive({ binding: bindTextarea(textarea.value, notes.text, { awareness: notes.awareness }) })',
    'const overlay = showPeers(binding,': 'const { overlay } = reactive({ overlay: showPeers(kept.binding,',
    'notes.awareness)\n  onCleanup':
      'notes.awareness) })\n  kept.binding.undo()\n  overlay.hidden = false\n  onCleanup',
    'binding.destroy()': 'kept.binding.destroy()',
  })
  const address = await serve(VUE_PAGE, server.url, { 'Notes.vue': reactive })
  const ann = await openEmbed(server.url)
  const ben = await openPage(browser, address, onTestFinished)
  await ben.locator('textarea').pressSequentially('hello')
  await textIs(ann, 'hello')
  await ann.locator('textarea').press('Home')
  await ben.getByText('Ann', { exact: true }).waitFor({ state: 'attached' })
})

const ALPINE_PAGE = `
  <label x-data="notes"><span x-text="saved"></span><textarea x-ref="text"></textarea></label>
  <script type="module">
    import { bindTextarea, connect, showPeers, watchPresence } from '@coedit/client'
    import Alpine from 'alpinejs'
    Alpine.data('notes', () => ({
      saved: false,
      connection: null,
      shown: [],
      init() {
        this.connection = connect({ url: 'ws://localhost:1234', document: 'notes', user: { name: 'Ben' } })
        this.connection.subscribe((state) => (this.saved = state.saved))
        const { text, awareness } = this.connection
        this.shown.push({ binding: bindTextarea(this.$refs.text, text, { awareness }) })
        this.shown.push({ overlay: showPeers(this.shown[0].binding, awareness), presence: watchPresence(awareness) })
        this.shown[0].binding.undo()
        this.shown[1].overlay.hidden = false
        this.shown[1].presence.subscribe((peers) => (document.title = peers.map(({ name }) => name).join()))
      },
    }))
    Alpine.start()
  </script>`

test('a connection, a binding, an overlay and a presence work in what Alpine makes reactive', async () => {
  const server = await startInProcess({ release: onTestFinished })
  const ann = await openEmbed(server.url)
  const ben = await openPage(browser, await serve(ALPINE_PAGE, server.url), onTestFinished)
  await ben.locator('textarea').pressSequentially('hello')
  await textIs(ann, 'hello')
  await ben.getByText('true', { exact: true }).waitFor()
  await ann.locator('textarea').press('Home')
  await ben.getByText('Ann', { exact: true }).waitFor({ state: 'attached' })
  await ben.waitForFunction(() => document.title === 'Ann')
})

/** Resolves when a CodeMirror shows exactly this, the names beside carets left out. */
async function linesAre(page: Page, text: string): Promise<void> {
  await page.waitForFunction((expected) => {
    const shown = document.querySelector('.cm-content')?.cloneNode(true)
    if (!(shown instanceof Element)) return false
    for (const caret of shown.querySelectorAll('.cm-ySelectionCaret')) caret.remove()
    return [...shown.querySelectorAll('.cm-line')].map((line) => line.textContent).join('\n') === expected
  }, text)
}

/** As the context menu of the browser does. */
function raiseUndo(field: Locator): Promise<void> {
  return field.evaluate((element) => {
    element.dispatchEvent(new InputEvent('beforeinput', { inputType: 'historyUndo', bubbles: true, cancelable: true }))
  })
}

test('a text with carriage returns is the same in the CodeMirror of the README and in a textarea', async () => {
  const server = await startInProcess({ release: onTestFinished })
  const other = connect({ url: server.url, document: 'notes', WebSocket })
  onTestFinished(() => other.destroy())
  other.text.insert(0, 'one\r\ntwo\r\nthree')
  await other.flush()
  const recipe = await blockIn('client/README.md', '### CodeMirror, or any other editor with a Yjs binding', 'html')
  const ann = await openEmbed(server.url)
  const ben = await openPage(browser, await serve(recipe, server.url), onTestFinished)
  const editor = ben.locator('.cm-content')
  await linesAre(ben, 'one\r\ntwo\r\nthree')
  await editor.press('ControlOrMeta+End')
  await ben.keyboard.type('!')
  await textIs(ann, 'one\ntwo\nthree!')
  await ann.locator('textarea').press('ControlOrMeta+End')
  await ann.keyboard.press('Home')
  await ann.keyboard.type('four, ')
  await linesAre(ben, 'one\r\ntwo\r\nfour, three!')
  await editor.evaluate((element) => {
    const clipboardData = new DataTransfer()
    clipboardData.setData('text/plain', '1\r\n2')
    element.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))
  })
  await textIs(ann, 'one\ntwo\nfour, three!1\n2')
  expect(other.text.toString()).toBe('one\r\ntwo\r\nfour, three!1\n2')
})

test('the custom element of the README shares its text with a textarea', async () => {
  const server = await startInProcess({ release: onTestFinished })
  const recipe = await blockIn('client/README.md', '### A custom element', 'html')
  const ann = await openEmbed(server.url)
  const ben = await openPage(browser, await serve(recipe, server.url), onTestFinished)
  await ann.locator('textarea').fill('hello')
  await textIs(ben, 'hello')
  await ben.locator('textarea').press('End')
  await ben.keyboard.type('!')
  await textIs(ann, 'hello!')
})

test('the React component of the README shares its text with a textarea and says when it is saved', async () => {
  const server = await startInProcess({ release: onTestFinished })
  const recipe = await blockIn('client/README.md', '### React', 'tsx')
  const ann = await openEmbed(server.url)
  const ben = await openPage(browser, await serve(REACT_PAGE, server.url, { 'Notes.tsx': recipe }), onTestFinished)
  await ann.locator('textarea').fill('hello')
  await textIs(ben, 'hello')
  await ben.locator('textarea').press('End')
  await ben.keyboard.type('!')
  await textIs(ann, 'hello!')
  await ben.getByText('Saved').waitFor()
})

test('the CodeMirror of the README shares its text and its caret with a textarea', async () => {
  const server = await startInProcess({ release: onTestFinished })
  const recipe = await blockIn('client/README.md', '### CodeMirror, or any other editor with a Yjs binding', 'html')
  const ann = await openEmbed(server.url)
  const ben = await openPage(browser, await serve(recipe, server.url), onTestFinished)
  await ann.locator('textarea').fill('hello')
  const editor = ben.locator('.cm-content')
  await editor.getByText('hello').waitFor()
  await editor.press('ControlOrMeta+End')
  await ben.keyboard.type(' there')
  await textIs(ann, 'hello there')

  await ann.locator('textarea').press('Home')
  await ben.locator('.cm-ySelectionCaret').waitFor({ state: 'attached' })
})
