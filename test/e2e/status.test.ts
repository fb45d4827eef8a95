import type { Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { openPage, setDemo } from '../support/demo.ts'
import { documentsApi } from '../support/documents-api.ts'
import { startServer } from '../support/process.ts'
import { connectRaw } from '../support/raw-client.ts'
import { SECRET, token } from '../support/tokens.ts'

const demo = setDemo()
const release = onTestFinished
const PHONE = { viewport: { width: 360, height: 740 } }

/** The plot says so in words as well. */
function plotSays(page: Page, words: RegExp): Promise<void> {
  return page.getByRole('img', { name: words }).waitFor()
}

test('the status page plots what happens, and shows and closes who is connected', async () => {
  const { url } = demo
  const page = await openPage(demo.browser, `${url}status`, release, PHONE)
  await page.getByText('All is well').waitFor()
  const client = await connectRaw({ release, url, document: 'watched' })
  await client.until('it has joined', () => client.messages.length > 0)
  await documentsApi(url).patch('watched', [{ index: 0, insert: 'hello' }])
  await plotSays(page, /^Connections: WebSockets 1,/)
  await plotSays(page, /^Commit: median \d.* ms, p99 \d.* ms$/)
  await plotSays(page, /^Webhooks: told a minute 0, in vain 0$/)
  await page.getByRole('button', { name: 'watched' }).click()
  await page.getByRole('row', { name: /^without a name write/ }).waitFor()
  await page.getByRole('button', { name: 'Close', exact: true }).click()
  expect((await client.closed).code).toBe(1012)
  await page.getByText('Nobody, at this server.').waitFor()
  await page.getByRole('row', { name: '1012 1' }).waitFor()
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(PHONE.viewport.width)
})

test('it asks for a token where the server does, keeps it over a reload, and says what that does not allow', async () => {
  const { url } = await startServer({ release, flags: ['--auth-secret', SECRET, '--base-path', '/docs'] })
  const page = await openPage(demo.browser, `${url}status`, release)
  const give = async (rights: object) => {
    await page.getByLabel('A token').fill(await token({ coedit: rights }))
    await page.getByRole('button', { name: 'Show' }).click()
  }
  await page.getByText('This server asks for a token.').waitFor()
  await give({ write: ['*'] })
  await page.getByText('Refused: the token does not allow to see the status.').waitFor()
  await give({ status: true })
  await page.getByText('All is well').waitFor()
  await page.reload()
  await page.getByText('All is well').waitFor()
  const client = await connectRaw({ release, url, document: 'notes', query: `?token=${await token()}` })
  await client.until('it has joined', () => client.messages.length > 0)
  await page.getByRole('button', { name: 'notes' }).click()
  await page.getByRole('row', { name: /^ada write/ }).waitFor()
  await page.getByRole('button', { name: 'Close all' }).click()
  await page.getByText('Refused: the token does not allow to revoke.').waitFor()
})
