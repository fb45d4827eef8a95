import { createServer, request } from 'node:http'
import type { Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import {
  openContext,
  openPage,
  openTab,
  pane,
  setDemo,
  stateIs,
  stateWords,
  textarea,
  textIs,
} from '../support/demo.ts'
import { startMortalServer } from '../support/mortal-server.ts'
import { startServer } from '../support/process.ts'

/** One editor, so that nobody but those of a test takes part. */
const NARROW = { viewport: { width: 360, height: 740 } }

const demo = setDemo()

/**
 * An HTTP proxy that knows nothing of WebSockets, which it passes on as ordinary requests, and lets nothing through to the
 * API. With a code it opens them and closes them with that, as an application that checks who comes would.
 */
async function startStrictProxy(target: string, closeCode?: number): Promise<string> {
  const proxy = createServer(({ url = '/', method, headers: { upgrade: _, connection: __, ...headers } }, response) => {
    if (url.startsWith('/api/')) {
      response.writeHead(403).end()
      return
    }
    const forwarded = request(new URL(url, target), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    forwarded.on('error', () => response.destroy())
    forwarded.end()
  })
  if (closeCode !== undefined) {
    const sockets = new WebSocketServer({ server: proxy })
    sockets.on('connection', (socket) => socket.close(closeCode, 'the reason'))
  }
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    proxy.close()
    proxy.closeAllConnections()
  })
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy listens on no port')
  return `http://127.0.0.1:${address.port}/`
}

async function openSaved(url: string): Promise<Page> {
  const page = await openPage(demo.browser, url, onTestFinished, NARROW)
  await stateIs(page, 'Saved')
  return page
}

function notice(page: Page) {
  return page.locator('.notice').first()
}

/** What has been said to those who do not see, from now on. */
async function listen(page: Page): Promise<() => Promise<string[]>> {
  const spoken = await page.evaluateHandle(() => {
    const said: string[] = []
    const status = document.querySelector('.spoken')
    if (status === null) throw new Error('the page speaks nowhere')
    new MutationObserver(() => said.push(status.textContent ?? '')).observe(status, { childList: true })
    return said
  })
  return () => spoken.jsonValue()
}

describe('going offline by the switch', () => {
  test('edits are counted and kept, others lack them, and both texts are merged afterwards', async () => {
    const url = demo.place()
    const [ann, ben] = [await openSaved(url), await openSaved(url)]
    await ann.keyboard.type('middle')
    await textIs(ben, 'middle')
    await ann.getByRole('button', { name: 'Go offline' }).click()
    await stateIs(ann, 'Offline')

    await textarea(ann).press('End')
    await ann.keyboard.insertText('!')
    await stateIs(ann, 'Offline, 1 edit kept here')
    await ann.keyboard.insertText('!')
    await stateIs(ann, 'Offline, 2 edits kept here')
    await textarea(ben).press('Home')
    await ben.keyboard.insertText('the ')
    await stateIs(ben, 'Saved')
    expect([await textarea(ann).inputValue(), await textarea(ben).inputValue()]).toEqual(['middle!!', 'the middle'])

    await ann.getByRole('button', { name: 'Go online' }).click()
    await Promise.all([textIs(ann, 'the middle!!'), textIs(ben, 'the middle!!')])
    await Promise.all([stateIs(ann, 'Saved'), stateIs(ben, 'Saved')])
    await ann.getByRole('button', { name: 'Go offline' }).waitFor()
  })

  test('one of two editors side by side keeps its edits from the other', async () => {
    const page = await openPage(demo.browser, demo.place(), onTestFinished)
    await pane(page, 1).getByRole('button', { name: 'Go offline' }).click()
    await stateIs(page, 'Offline', 1)
    await textarea(page, 1).fill('apart')
    await stateIs(page, 'Offline, 1 edit kept here', 1)
    await textarea(page, 0).fill('here ')
    await stateIs(page, 'Saved', 0)
    expect([await textarea(page, 0).inputValue(), await textarea(page, 1).inputValue()]).toEqual(['here ', 'apart'])
    await pane(page, 1).getByRole('button', { name: 'Go online' }).click()
    await page.waitForFunction(() => {
      const [first, second] = [...document.querySelectorAll('textarea')].map(({ value }) => value)
      return first === second && first?.includes('here ') && first.includes('apart')
    })
  })

  test('what was kept is there after a reload, and is stored then', async () => {
    const url = demo.place()
    const [ann, ben] = [await openSaved(url), await openSaved(url)]
    await ann.getByRole('button', { name: 'Go offline' }).click()
    await ann.keyboard.insertText('kept')
    await stateIs(ann, 'Offline, 1 edit kept here')
    await ann.reload()
    await textIs(ben, 'kept')
    await textIs(ann, 'kept')
    await stateIs(ann, 'Saved')
  })
})

describe('a server that is gone', () => {
  test('is tried again by a countdown, or at once when one does not want to wait', async () => {
    const server = await startMortalServer(onTestFinished)
    const page = await openSaved(server.url)
    const retry = page.locator('.retry')
    expect(await retry.isVisible()).toBe(false)
    await server.kill()
    await retry.getByText(/^retrying in [123] s$/).waitFor()
    // Of an attempt that is not one's own there is one in 2.5 s at the latest.
    await retry.getByText('retrying in 3 s').waitFor()
    await retry.getByText('retrying in 2 s').waitFor()
    await page.keyboard.type('kept')
    await server.restart()
    const [, socket] = await Promise.all([
      page.getByRole('button', { name: 'Try now' }).click(),
      page.waitForEvent('websocket'),
    ])
    expect(socket.url()).toContain('/welcome')
    await stateIs(page, 'Saved')
    expect(await retry.isVisible()).toBe(false)
  })

  test('is not tried again by who went offline on purpose', async () => {
    const server = await startMortalServer(onTestFinished)
    const page = await openSaved(server.url)
    await server.kill()
    await page.locator('.retry').waitFor()
    await page.getByRole('button', { name: 'Go offline' }).click()
    expect(await page.locator('.retry').isVisible()).toBe(false)
    await stateIs(page, 'Offline')
  })
})

describe('a reunion', () => {
  const reunion = (page: Page) => page.locator('.reunion').first()

  test('tells how many edits of how many people were merged, and then no more', async () => {
    const url = demo.place()
    const [ann, ben] = [await openSaved(url), await openSaved(url)]
    await ann.keyboard.type('middle')
    await textIs(ben, 'middle')
    await ann.clock.install()
    await ann.getByRole('button', { name: 'Go offline' }).click()
    await textarea(ann).press('End')
    await ann.keyboard.type('!!')
    await textarea(ben).press('Home')
    await ben.keyboard.type('the ')
    await ben.keyboard.press('Delete')
    await stateIs(ben, 'Saved')
    await ann.getByRole('button', { name: 'Go online' }).click()
    await reunion(ann).getByText('Merged 7 edits of 2 people', { exact: true }).waitFor()
    await textIs(ann, 'the iddle!!')
    await ann.clock.runFor(8_000)
    expect(await reunion(ann).innerText()).toBe('')
    expect(await reunion(ben).innerText()).toBe('')
  })

  test('counts oneself alone, and is none where nothing was done or all was here before', async () => {
    const page = await openSaved(demo.place())
    expect(await reunion(page).innerText()).toBe('')
    await page.getByRole('button', { name: 'Go offline' }).click()
    await page.getByRole('button', { name: 'Go online' }).click()
    await stateIs(page, 'Saved')
    expect(await reunion(page).innerText()).toBe('')
    await page.getByRole('button', { name: 'Go offline' }).click()
    await textarea(page).press('x')
    await page.getByRole('button', { name: 'Go online' }).click()
    await reunion(page).getByText('Merged 1 edit of 1 person', { exact: true }).waitFor()
  })
})

describe('a server that is killed while somebody types', () => {
  test('within 5 s: offline, the edits kept here, and said aloud once; back again: saved', async () => {
    const server = await startMortalServer(onTestFinished)
    const page = await openSaved(server.url)
    const spoken = await listen(page)
    await page.keyboard.type('before ')
    await server.kill()
    const killed = Date.now()
    await page.keyboard.type('after')
    await stateIs(page, /^Offline, \d+ edits kept here$/)
    expect(Date.now() - killed).toBeLessThan(5_000)
    await page.keyboard.type(' all')
    await server.restart()
    await stateIs(page, 'Saved')
    expect((await spoken()).map((words) => words.replace(/\d+ edits?/, 'n edits'))).toEqual([
      expect.stringMatching(/^Offline/),
      'Saved',
    ])
  })

  test('where the browser keeps no copy: Not saved, and it asks before the page is left', async () => {
    const server = await startMortalServer(onTestFinished)
    const context = await openContext(demo.browser, onTestFinished, NARROW)
    await context.addInitScript(() => Object.defineProperty(window, 'indexedDB', { value: undefined }))
    const page = await openTab(context, server.url)
    await stateIs(page, 'Saved')
    await server.kill()
    await page.keyboard.type('lost?')
    await stateIs(page, 'Not saved')
    expect(await notice(page).innerText()).toContain('5 edits')

    const [question] = await Promise.all([page.waitForEvent('dialog'), page.close({ runBeforeUnload: true })])
    expect(question.type()).toBe('beforeunload')
    await question.dismiss()
    await server.restart()
    await stateIs(page, 'Saved')
    expect(await notice(page).isVisible()).toBe(false)
  })

  test('two tabs of one browser go on with each other, and say that they are offline', async () => {
    const server = await startMortalServer(onTestFinished)
    const context = await openContext(demo.browser, onTestFinished, NARROW)
    const [ann, ben] = [await openTab(context, server.url), await openTab(context, server.url)]
    await Promise.all([stateIs(ann, 'Saved'), stateIs(ben, 'Saved')])
    await server.kill()
    await Promise.all([stateIs(ann, 'Offline'), stateIs(ben, 'Offline')])
    await ann.bringToFront()
    await textarea(ann).press('Home')
    await ann.keyboard.insertText('from ann ')
    await textIs(ben, 'from ann ')
    await ben.bringToFront()
    await textarea(ben).press('End')
    await ben.keyboard.insertText('from ben')
    await textIs(ann, 'from ann from ben')
    for (const tab of [ann, ben]) expect(await stateWords(tab)).toMatch(/^Offline/)
    await server.restart()
    await Promise.all([stateIs(ann, 'Saved'), stateIs(ben, 'Saved')])
  })
})

describe('what stands in the way is named', () => {
  test('a proxy that lets neither a WebSocket through nor what takes its place', async () => {
    const page = await openPage(demo.browser, await startStrictProxy(demo.url), onTestFinished, NARROW)
    await notice(page).getByText('blocks WebSockets, and what takes their place').waitFor()
    await stateIs(page, 'Offline')
    await page.keyboard.insertText('x')
    await stateIs(page, 'Offline, 1 edit kept here')
  })

  test('not where the server itself is away', async () => {
    const server = await startMortalServer(onTestFinished)
    const page = await openSaved(server.url)
    await server.kill()
    const asked = page.waitForEvent('requestfailed', (failed) => failed.url().endsWith('/health'))
    await asked
    await stateIs(page, 'Offline')
    expect(await notice(page).isVisible()).toBe(false)
  })

  test.each([
    [4401, 'Signed out', 'Sign in again'],
    [4403, 'No access', 'The server refused this document: the reason'],
    [4404, 'Gone', 'does not exist any more'],
  ])('a refusal with %i: %s', async (code, words, more) => {
    const page = await openPage(demo.browser, await startStrictProxy(demo.url, code), onTestFinished, NARROW)
    await stateIs(page, words)
    expect(await notice(page).innerText()).toContain(more)
  })

  test('a document that the server refuses', async () => {
    const { url } = await startServer({ release: onTestFinished, flags: ['--max-name-bytes', '8'] })
    const page = await openPage(demo.browser, `${url}d/much-too-long`, onTestFinished, NARROW)
    await stateIs(page, 'No access')
    expect(await notice(page).innerText()).toContain('The server refused this document')
  })

  test('an edit that is larger than the server takes', async () => {
    const { url } = await startServer({ release: onTestFinished, flags: ['--max-message-bytes', '2048'] })
    const page = await openSaved(url)
    await page.keyboard.insertText('x'.repeat(3_000))
    await stateIs(page, 'Not saved')
    expect(await notice(page).innerText()).toContain('larger than the server takes')
  })
})
