import type { BrowserContext, Page } from 'playwright-core'
import { describe, expect, onTestFinished, test } from 'vitest'
import { closesWithQuestion, setConnectionPages, stateHas } from '../support/connection-page.ts'
import { textIs } from '../support/demo.ts'
import { startMortalServer } from '../support/mortal-server.ts'

const ANN = { id: 'ann', name: 'Ann' }
const BEN = { id: 'ben', name: 'Ben' }

const pages = setConnectionPages()

/** A page with an offline copy of its own, whose server has been killed. */
async function openOffline() {
  const server = await startMortalServer(onTestFinished)
  const context = await pages.newContext()
  const open = (user = ANN) => pages.open(context, { url: server.url, user, offline: true })
  const page = await open()
  await stateHas(page, { saved: true, copy: 'kept' })
  await server.kill()
  await stateHas(page, { connection: 'offline' })
  return { server, context, open, page }
}

/** How many updates the one copy consists of. The answer comes when all that was written before is committed. */
function countUpdates(page: Page): Promise<number> {
  return page.evaluate(async () => {
    const [{ name = '' } = {}] = await indexedDB.databases()
    return new Promise<number>((resolve, reject) => {
      const opening = indexedDB.open(name)
      opening.onerror = () => reject(opening.error)
      opening.onsuccess = () => {
        const counting = opening.result.transaction('updates').objectStore('updates').count()
        counting.onsuccess = () => {
          opening.result.close()
          resolve(counting.result)
        }
      }
    })
  })
}

function databases(page: Page): Promise<string[]> {
  return page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => String(name)).sort())
}

describe('an offline copy', () => {
  test('has what was typed after a reload without a server, and brings it to the server when there is one', async () => {
    const { server, page } = await openOffline()
    await page.keyboard.type('typed offline')
    await countUpdates(page)
    await page.reload()
    await textIs(page, 'typed offline')
    await stateHas(page, { connection: 'offline', saved: false, copy: 'kept' })
    await server.restart()
    await stateHas(page, { connection: 'online', saved: true, unsaved: 0 })
    const elsewhere = await pages.open(await pages.newContext(), { url: server.url })
    await textIs(elsewhere, 'typed offline')
  })

  test('lets one leave without a question: nothing is lost', async () => {
    const { page, open } = await openOffline()
    await page.keyboard.type('kept')
    await stateHas(page, { unsaved: 4 })
    await countUpdates(page)
    expect(await closesWithQuestion(page)).toBe(false)
    await textIs(await open(), 'kept')
  })

  test('is nobody else’s, and at logout all of one user’s are deleted, with no harm to who is still there', async () => {
    const { page, open } = await openOffline()
    await page.keyboard.type('of Ann')
    const ben = await open(BEN)
    await stateHas(ben, { copy: 'kept' })
    expect(await ben.locator('textarea').inputValue()).toBe('')
    expect(await databases(page)).toHaveLength(2)
    await page.evaluate(() => client.clearOffline('ann'))
    expect(await databases(page)).toEqual([expect.stringContaining('"ben"')])
    await stateHas(page, { copy: 'off' })
    await page.keyboard.type(', still here')
    await textIs(page, 'of Ann, still here')
    expect(await page.evaluate(() => client.told.errors)).not.toContain('OFFLINE_COPY_FAILED')
    const again = await open()
    await stateHas(again, { copy: 'kept' })
    await textIs(again, 'of Ann, still here')
  })

  test('is merged when it has grown, with what another tab wrote, and y-indexeddb can read it', async () => {
    const { page, open } = await openOffline()
    const other = await open()
    await stateHas(other, { copy: 'kept', connection: 'offline' })
    await other.evaluate(() => client.connection.text.insert(0, 'other'))
    await textIs(page, 'other')
    expect(await countUpdates(page)).toBeGreaterThan(0)
    await page.evaluate(() => {
      for (let count = 0; count < 1_100; count++) client.connection.text.insert(0, 'x')
    })
    const text = `${'x'.repeat(1_100)}other`
    await textIs(other, text)
    await page.waitForFunction(() => client.connection.state.copy === 'kept')
    expect(await countUpdates(page)).toBeLessThan(1_000)
    const [name = ''] = await databases(page)
    expect(await page.evaluate((database) => client.readByYIndexeddb(database), name)).toBe(text)
  })

  test('that runs out of space says so once, and the browser asks before one leaves', async () => {
    const context = await pages.newContext()
    await limitStorage(context, new URL(pages.site).origin, 200_000)
    const page = await pages.open(context, { url: 'ws://127.0.0.1:1', user: ANN, offline: true })
    await stateHas(page, { copy: 'kept' })
    await page.evaluate(() => {
      // Random, because what repeats takes no space.
      const text = Array.from({ length: 400_000 }, () => String.fromCharCode(33 + Math.random() * 90)).join('')
      client.connection.text.insert(0, text)
    })
    await stateHas(page, { copy: 'failed', connection: 'offline' })
    await page.locator('textarea').press('End')
    await page.keyboard.type('!')
    expect(await page.evaluate(() => client.connection.text.length)).toBe(400_001)
    const errors = await page.evaluate(() => client.told.errors)
    expect(errors.filter((code) => code === 'OFFLINE_COPY_FAILED')).toHaveLength(1)
    expect(await closesWithQuestion(page)).toBe(true)
  })
})

/** Before a database is opened: the browser keeps the limit it has seen for a while. */
async function limitStorage(context: BrowserContext, origin: string, quotaSize: number): Promise<void> {
  const session = await context.newCDPSession(await context.newPage())
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize })
}
