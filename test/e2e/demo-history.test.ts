import type { Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { openPage, setDemo, stateIs, textarea, textIs } from '../support/demo.ts'
import { documentsApi } from '../support/documents-api.ts'

const demo = setDemo()

/** Moves the slider as somebody does who pulls it. */
async function slideTo(page: Page, version: number): Promise<void> {
  await page.locator('#past input').evaluate((slider, value) => {
    if (!(slider instanceof HTMLInputElement)) throw new Error('there is no slider')
    slider.value = String(value)
    slider.dispatchEvent(new InputEvent('input', { bubbles: true }))
  }, version)
}

async function become(page: Page, name: string, color: string): Promise<void> {
  await page.locator('.color').first().fill(color)
  await page.locator('.name').first().fill(name)
}

test('a slider shows what was written, in the colours of who wrote it, and restores it for all', async () => {
  const place = demo.place()
  const name = decodeURIComponent(place.split('/').at(-1) ?? '')
  const api = documentsApi(demo.url)
  const [page, other] = [
    await openPage(demo.browser, place, onTestFinished),
    await openPage(demo.browser, place, onTestFinished),
  ]
  await stateIs(page, 'Saved')
  // What pages are given by chance may be the same.
  await become(page, 'Ada', '#123456')
  await become(other, 'Grace', '#654321')
  await page.locator('#people').getByRole('button', { name: 'Grace' }).waitFor()
  await textarea(page).pressSequentially('first')
  await textIs(other, 'first')
  await stateIs(page, 'Saved')
  const { etag = '' } = await api.read(name)
  const version = Number(etag.split('-')[1])
  await textarea(other).press('End')
  await textarea(other).pressSequentially(', and more')
  await textIs(page, 'first, and more')
  await stateIs(other, 'Saved')

  await page.getByRole('button', { name: 'History' }).click()
  const dialog = page.locator('#past')
  await dialog.getByText('first, and more', { exact: true }).waitFor()
  expect(await dialog.getByRole('button', { name: 'Restore' }).isDisabled()).toBe(true)
  const colors = await dialog
    .locator('.bands i')
    .evaluateAll((bands) => bands.map((band) => getComputedStyle(band).backgroundColor))
  expect(new Set(colors)).toEqual(new Set(['rgb(18, 52, 86)', 'rgb(101, 67, 33)']))
  await slideTo(page, version)
  await dialog.getByText('first', { exact: true }).waitFor()
  expect(await dialog.locator('.caption').innerText()).toContain('Ada')
  await dialog.getByRole('button', { name: 'Restore' }).click()
  await textIs(page, 'first')
  await textIs(other, 'first')
  await dialog.waitFor({ state: 'hidden' })
})

test('of an empty document, and of one that a page may only read, it says so', async () => {
  const place = demo.place()
  const page = await openPage(demo.browser, place, onTestFinished)
  await page.getByRole('button', { name: 'History' }).click()
  await page.locator('#past').getByText('Nothing has been written here yet.').waitFor()
  await page.locator('#past').getByRole('button', { name: 'Close' }).click()
  const reader = await openPage(demo.browser, `${place}?access=read`, onTestFinished)
  expect(await reader.getByRole('button', { name: 'History' }).isVisible()).toBe(false)
})
