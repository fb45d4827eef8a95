import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { bundlePage } from '../support/bundle.ts'
import { launchChromium } from '../support/chromium.ts'
import { openPage } from '../support/demo.ts'
import { serveFiles } from '../support/file-server.ts'
import { installPackages } from '../support/installed.ts'
import { cases, isLong } from '../support/runs.ts'
import { runScript } from './script.ts'

const EDITORS = fileURLToPath(new URL('.', import.meta.url))
/** The pages of the editors in `npm test`, whose packages are `dependencies` in package.json here. */
const FIRST = ['tiptap.ts', 'tiptap-hocuspocus.ts', 'prosemirror.ts', 'quill.ts']
const OTHERS = [
  'tiptap-mixed.ts',
  'lexical.tsx',
  'blocknote.ts',
  'slate.tsx',
  'codemirror-6.ts',
  'codemirror-5.ts',
  'monaco.ts',
]
/** Far above the 10 s that it takes: three servers and four pages share the cores with whatever else runs. */
const TIMEOUT_MS = 180_000

let browser: Browser

beforeAll(async () => {
  await installPackages(EDITORS, 'the editors', isLong())
  browser = await launchChromium()
}, 300_000)

afterAll(() => browser.close())

/** Names at carets are out of the flow of the text, as the style sheets in the documentation of the editors have it. */
const STYLE = '.ProseMirror-yjs-cursor > div, .collaboration-carets__label { position: absolute }'

async function serveEditor(page: string): Promise<string> {
  const head = `<link rel="icon" href="data:,"><style>${STYLE}</style>`
  const html = `<!doctype html>${head}<script type="module" src="./pages/${page}"></script>`
  return serveFiles(onTestFinished, await bundlePage(html, EDITORS))
}

test.for(cases(FIRST, OTHERS))(
  'people edit together, undo, and lose nothing by restarts: %s',
  { timeout: TIMEOUT_MS },
  async (page) => {
    await runScript({ browser, address: await serveEditor(page), release: onTestFinished })
  },
)

if (isLong()) {
  // Its page gives undo to Yjs for that reason. y-monaco 0.1.6 writes what others typed by `applyEdits`, past Monaco's
  // undo stack, whose places are those of the text before. When this fails, y-monaco has mended it, and monaco.ts can
  // leave undo to Monaco.
  test("with y-monaco, Monaco's own undo takes back what others wrote, with no server at all", async () => {
    const page = await openPage(browser, await serveEditor('monaco-alone.ts'), onTestFinished)
    await page.waitForFunction(() => document.title !== '')
    expect(await page.title()).toBe('Ben and Ann -> and Ann')
  })

  test('the pages keep to the types of the editors, which `npm run check` does without', async () => {
    await promisify(execFile)(process.execPath, ['../../node_modules/typescript/bin/tsc', '-p', '.'], { cwd: EDITORS })
  })
}
