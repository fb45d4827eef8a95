import type { Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { launchWithPageCache } from '../support/chromium.ts'
import { setConnectionPages, stateHas } from '../support/connection-page.ts'
import { textIs } from '../support/demo.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { startMortalServer } from '../support/mortal-server.ts'
import { startStallingProxy } from '../support/stalling-proxy.ts'

const ANN = { id: 'ann', name: 'Ann' }

function seesOthers(page: Page, count: number): Promise<unknown> {
  return page.waitForFunction((expected) => client.others() === expected, count)
}

describe('a page that is left and comes back out of the back/forward cache', () => {
  const pages = setConnectionPages(launchWithPageCache)

  test('is gone for others meanwhile, and then goes on where it was, with what they wrote', async () => {
    const server = await startInProcess({ release: onTestFinished })
    const page = await pages.open(await pages.newContext(), { url: server.url, user: ANN, offline: true })
    const other = await pages.open(await pages.newContext(), { url: server.url })
    await page.keyboard.type('Ann')
    await Promise.all([textIs(other, 'Ann'), stateHas(page, { saved: true, copy: 'kept' }), seesOthers(other, 1)])

    await page.goto(`${pages.site}away.html`)
    await seesOthers(other, 0)
    await other.keyboard.press('End')
    await other.keyboard.type(' and Ben')
    await stateHas(other, { saved: true })
    await page.goBack({ waitUntil: 'commit' })
    expect(await page.evaluate(() => client.shows)).toEqual([false, true])
    // By the connection itself: not every browser closes the socket of a page that it keeps.
    expect(await page.evaluate(() => client.hides)).toEqual(['offline'])
    await textIs(page, 'Ann and Ben')
    await Promise.all([seesOthers(other, 1), seesOthers(page, 1)])
    const names = await other.evaluate(() =>
      [...client.connection.awareness.getStates().values()].map(({ user }) => user),
    )
    expect(names).toContainEqual({ name: 'Ann' })
    await page.keyboard.type('!')
    await Promise.all([textIs(other, await page.locator('textarea').inputValue()), stateHas(page, { saved: true })])
  })

  test('has kept what was not saved, and saves it', async () => {
    const server = await startMortalServer(onTestFinished)
    const page = await pages.open(await pages.newContext(), { url: server.url, guardUnload: false })
    await stateHas(page, { saved: true })
    await server.kill()
    await stateHas(page, { connection: 'offline' })
    await page.keyboard.type('unsaved')
    await page.goto(`${pages.site}away.html`)
    await server.restart()
    await page.goBack({ waitUntil: 'commit' })
    expect(await page.evaluate(() => client.shows)).toEqual([false, true])
    await stateHas(page, { saved: true, unsaved: 0 })
    await textIs(await pages.open(await pages.newContext(), { url: server.url }), 'unsaved')
  })

  test('stays paused where it was', async () => {
    const server = await startInProcess({ release: onTestFinished })
    const page = await pages.open(await pages.newContext(), { url: server.url })
    await stateHas(page, { saved: true })
    await page.evaluate(() => client.connection.pause())
    const sockets: unknown[] = []
    page.on('websocket', (socket) => sockets.push(socket))
    await page.goto(`${pages.site}away.html`)
    await page.goBack({ waitUntil: 'commit' })
    expect(await page.evaluate(() => client.shows)).toEqual([false, true])
    await stateHas(page, { connection: 'offline' })
    await page.evaluate(() => client.connection.resume())
    await stateHas(page, { saved: true })
    expect(sockets).toHaveLength(1)
  })
})

describe('with the clock of the page stopped', () => {
  const pages = setConnectionPages()

  /** A page whose timers run only when the test says so. */
  async function openStopped(url: string): Promise<Page> {
    const context = await pages.newContext()
    await context.clock.install()
    const page = await pages.open(context, { url })
    await stateHas(page, { saved: true })
    await page.clock.pauseAt(Date.now() + 1_000)
    return page
  }

  test.each(['online', 'visible'])('a page that is %s again reconnects without waiting', async (event) => {
    const server = await startMortalServer(onTestFinished)
    const page = await openStopped(server.url)
    await server.kill()
    await stateHas(page, { connection: 'offline' })
    await server.restart()
    if (event === 'visible') await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
    else await goOfflineAndOnline(page)
    await stateHas(page, { connection: 'online', saved: true })
  })

  test('a page that is told that the network is gone finds out at once whether its socket is, too', async () => {
    const server = await startInProcess({ release: onTestFinished })
    const line = await startStallingProxy(onTestFinished, server.url)
    const page = await openStopped(line.url)
    await page.evaluate(() => dispatchEvent(new Event('offline')))
    await page.waitForFunction(() => client.connection.state.connection === 'online')
    line.stall()
    await page.evaluate(() => dispatchEvent(new Event('offline')))
    await page.clock.runFor(3_000)
    await stateHas(page, { connection: 'offline', saved: false })
  })
})

async function goOfflineAndOnline(page: Page): Promise<void> {
  await page.context().setOffline(true)
  await page.context().setOffline(false)
}
