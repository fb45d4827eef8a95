import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { openPage, pane, stateIs, textarea, textIs } from '../support/demo.ts'
import { startNginx } from '../support/nginx.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { syncedClient } from '../support/stock-clients.ts'

/** What a proxy says that lets no WebSocket through. */
const REFUSES_UPGRADES = 'if ($http_upgrade) { return 403; }'
const NARROW = { viewport: { width: 360, height: 740 } }

let browser: Browser

beforeAll(async () => {
  browser = await launchChromium()
})

afterAll(() => browser.close())

/** A server behind an nginx as it is by itself, but for these directives of its location. */
async function startBehind(...directives: readonly string[]): Promise<{ server: ServerProcess; url: string }> {
  const server = await startServer({ release: onTestFinished })
  const nginx = await startNginx({
    release: onTestFinished,
    configure: ({ http }) => ({
      main: 'events {}',
      http: `access_log off;
        server {
          listen 127.0.0.1:${http};
          location / {
            ${directives.join('\n')}
            proxy_pass ${server.url.slice(0, -1)};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
          }
        }`,
    }),
  })
  return { server, url: `http://127.0.0.1:${nginx.ports.http}/` }
}

function open(url: string): Promise<Page> {
  return openPage(browser, `${url}d/notes`, onTestFinished, NARROW)
}

/** What is told beside the state. */
function detail(page: Page) {
  return pane(page, 0).locator('.state-detail')
}

test('an nginx that refuses upgrades: two pages share a text and see each other, and each says that it goes by HTTP', async () => {
  const { server, url } = await startBehind(REFUSES_UPGRADES)
  // By itself it gathers what comes; that events are not to be gathered the server tells it.
  const [ann, ben] = [await open(url), await open(url)]
  await Promise.all([stateIs(ann, 'Saved'), stateIs(ben, 'Saved')])
  await Promise.all([ann, ben].map((page) => detail(page).getByText('HTTP').waitFor()))
  await ann.bringToFront()
  await textarea(ann).focus()
  await ann.keyboard.type('from Ann')
  await textIs(ben, 'from Ann')
  await stateIs(ann, 'Saved')
  expect(await detail(ann).innerText()).toMatch(/^on disk · .* ms · HTTP$/)

  const stock = await syncedClient({ release: onTestFinished, url: server.url, document: 'notes' })
  stock.doc.getText('content').insert(0, 'stock, ')
  await textIs(ben, 'stock, from Ann')
  const present = () => stock.provider.awareness.getStates().size
  expect(present()).toBe(3)
  const left = new Promise<void>((resolve) => {
    stock.provider.awareness.on('change', () => present() === 2 && resolve())
  })
  await ann.close()
  await left
})

/** With this nginx brings nothing of an answer before it has ended, whatever it is told: it compresses the whole. */
const KEEPS_EVENTS = 'proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_types text/event-stream; gzip_proxied any;'

test('an nginx that also keeps events back, whatever it is told: the page asks again and again', async () => {
  const { server, url } = await startBehind(REFUSES_UPGRADES, KEEPS_EVENTS)
  const ann = await openPage(browser, 'about:blank', onTestFinished, NARROW)
  const polled = ann.waitForRequest((request) => request.url().includes('poll=1'))
  await ann.goto(`${url}d/notes`)
  await stateIs(ann, 'Saved')
  await textarea(ann).focus()
  await ann.keyboard.type('a')
  await stateIs(ann, 'Saved')
  await polled
  const stock = await syncedClient({ release: onTestFinished, url: server.url, document: 'notes' })
  const times: number[] = []
  for (const text of ['ba', 'cba', 'dcba']) {
    const startedAt = performance.now()
    stock.doc.getText('content').insert(0, text.slice(0, 1))
    await textIs(ann, text)
    times.push(Math.round(performance.now() - startedAt))
  }
  console.log(`behind an nginx that keeps events back, edits of others took ${times.join(', ')} ms`)
  await stateIs(ann, 'Saved')
  expect(await detail(ann).innerText()).toContain('HTTP')
})
