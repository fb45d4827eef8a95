import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { openContext } from '../support/demo.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const APP = 'https://app.example'
/** The host name of a stranger, which leads to this machine. */
const REBOUND = 'rebound.example'

let browser: Browser

beforeAll(async () => {
  browser = await launchChromium(`--host-resolver-rules=MAP ${REBOUND} 127.0.0.1`)
})

afterAll(() => browser.close())

/** A page of another host than the server's. */
async function foreignPage(): Promise<Page> {
  const context = await openContext(browser, release)
  // Without it Chromium itself keeps pages of other hosts away from this machine.
  await context.grantPermissions(['local-network-access'])
  const page = await context.newPage()
  await page.route(`${APP}/**`, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }))
  await page.goto(`${APP}/`)
  return page
}

/** How a WebSocket of the page begins: the subprotocol that was selected, or the code that it is closed with. */
function openSocket(page: Page, url: string, protocols: string[]): Promise<string | number> {
  const request: [string, string[]] = [`${url.replace('http', 'ws')}notes`, protocols]
  return page.evaluate(([url, protocols]) => {
    const socket = new WebSocket(url, protocols)
    return new Promise<string | number>((resolve) => {
      socket.onmessage = () => resolve(socket.protocol)
      socket.onclose = ({ code }) => resolve(code)
    })
  }, request)
}

/** How an event stream of the page begins. */
function openEvents(page: Page, url: string): Promise<string> {
  return page.evaluate((url) => {
    const events = new EventSource(url)
    return new Promise<string>((resolve) => {
      events.onopen = () => resolve('open')
      events.onerror = () => resolve('refused')
    })
  }, url)
}

describe('R37 Chromium', () => {
  test('sends the token as a subprotocol beside the one that is selected', async () => {
    const { url } = await startInProcess({ release, options: { authSecret: SECRET, allowedOrigins: APP } })
    const page = await foreignPage()
    const bearer = `bearer.${await token()}`
    expect(await openSocket(page, url, ['coedit', bearer])).toBe('coedit')
    expect(await openSocket(page, url, [bearer, 'coedit.v1'])).toBe('coedit.v1')
    expect(await openSocket(page, url, ['coedit'])).toBe(4401)
  })

  test('sends the cookie of the host', async () => {
    const { url } = await startInProcess({ release, options: { authSecret: SECRET, authCookie: 'session' } })
    const context = await openContext(browser, release)
    await context.addCookies([{ name: 'session', value: await token(), url }])
    const page = await context.newPage()
    await page.goto(`${url}health`)
    expect(await openSocket(page, url, ['coedit'])).toBe('coedit')
    expect(await openEvents(page, `${url}api/documents/notes/events`)).toBe('open')
    expect(await openEvents(page, `${url}api/documents/secret/events`)).toBe('refused')
  })
})

describe('R36 a page of a foreign origin', () => {
  test.each([
    ['is refused', '', 1006, 'refused'],
    ['that is allowed is not', APP, 'coedit', 'open'],
  ])('%s', async (_, allowedOrigins, socket, events) => {
    const { url } = await startInProcess({ release, options: { authSecret: SECRET, allowedOrigins } })
    const page = await foreignPage()
    const valid = await token()
    expect(await openSocket(page, url, ['coedit', `bearer.${valid}`])).toBe(socket)
    expect(await openEvents(page, `${url}api/documents/notes/events?token=${valid}`)).toBe(events)
  })
})

describe('R41 a page that has its own host name lead to the server', () => {
  test.each([
    ['is refused', false, 421, 1006, 'refused'],
    ['gets everything where that is accepted', true, 200, 'coedit', 'open'],
  ])('%s', async (_, insecureNoAuth, status, socket, events) => {
    const { url } = await startInProcess({ release, options: { insecureNoAuth } })
    const origin = `http://${REBOUND}:${new URL(url).port}`
    const page = await (await openContext(browser, release)).newPage()
    expect((await page.goto(`${origin}/health`))?.status()).toBe(status)
    expect(await openSocket(page, `${origin}/`, ['coedit'])).toBe(socket)
    expect(await openEvents(page, `${origin}/api/documents/notes/events`)).toBe(events)
  })
})
