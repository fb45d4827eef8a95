import { describe, expect, onTestFinished, test } from 'vitest'
import { closesWithQuestion, setConnectionPages, stateHas } from '../support/connection-page.ts'
import { textIs } from '../support/demo.ts'
import { startMortalServer } from '../support/mortal-server.ts'

const ANN = { id: 'ann', name: 'Ann' }
const BEN = { id: 'ben', name: 'Ben' }
const WORDS = 'the quick brown fox jumps over the lazy dog'

const pages = setConnectionPages()

describe('a server that is killed while somebody types', () => {
  test('within 5 s: not saved, offline, and the browser asks before the page is left', async () => {
    const server = await startMortalServer(onTestFinished)
    const page = await pages.open(await pages.newContext(), { url: server.url })
    await stateHas(page, { saved: true, unsaved: 0 })
    const typing = page.keyboard.type(WORDS, { delay: 10 })
    await page.waitForFunction(() => client.connection.text.length > 10)
    await server.kill()
    const killed = Date.now()
    await stateHas(page, { connection: 'offline', saved: false })
    expect(Date.now() - killed).toBeLessThan(5_000)
    await typing
    expect(await page.evaluate(() => client.connection.state.unsaved)).toBeGreaterThan(0)
    expect(await closesWithQuestion(page)).toBe(true)
  })

  test('and is back: saved is said with the acknowledgement only, and the browser asks no more', async () => {
    const server = await startMortalServer(onTestFinished)
    const page = await pages.open(await pages.newContext(), { url: server.url })
    await stateHas(page, { saved: true })
    await server.kill()
    await stateHas(page, { connection: 'offline' })
    await page.keyboard.type(WORDS)
    const before = await page.evaluate(() => client.told.states.length)
    await server.restart()
    await stateHas(page, { saved: true })
    const states = await page.evaluate((index) => client.told.states.slice(index), before)
    const unsaved = states.map((state) => [state.saved, state.unsaved])
    expect(unsaved.slice(0, -1).every(([saved, count]) => saved === false && count === WORDS.length)).toBe(true)
    expect(unsaved.at(-1)).toEqual([true, 0])
    expect(await closesWithQuestion(page)).toBe(false)
    await textIs(await pages.open(await pages.newContext(), { url: server.url }), WORDS)
  })

  test('nobody is asked who has no edits, or whose application does not want it', async () => {
    const server = await startMortalServer(onTestFinished)
    const context = await pages.newContext()
    const reader = await pages.open(context, { url: server.url })
    const writer = await pages.open(context, { url: server.url, guardUnload: false })
    await Promise.all([stateHas(reader, { saved: true }), stateHas(writer, { saved: true })])
    await server.kill()
    await Promise.all([stateHas(reader, { connection: 'offline' }), stateHas(writer, { connection: 'offline' })])
    await writer.keyboard.type('unsaved')
    await stateHas(writer, { unsaved: 7 })
    await reader.locator('textarea').click()
    expect(await closesWithQuestion(writer)).toBe(false)
    expect(await closesWithQuestion(reader)).toBe(false)
  })
})

describe('two tabs while the server is down', () => {
  test('converge, say that they are offline, and are saved when it is back', async () => {
    const server = await startMortalServer(onTestFinished)
    const context = await pages.newContext()
    const one = await pages.open(context, { url: server.url, user: ANN })
    const two = await pages.open(context, { url: server.url, user: ANN })
    await Promise.all([stateHas(one, { saved: true }), stateHas(two, { saved: true })])
    await server.kill()
    await Promise.all([stateHas(one, { connection: 'offline' }), stateHas(two, { connection: 'offline' })])
    await one.keyboard.type('one')
    await textIs(two, 'one')
    await two.keyboard.press('End')
    await two.keyboard.type(' two')
    await textIs(one, 'one two')
    const late = await pages.open(context, { url: server.url, user: ANN })
    await textIs(late, 'one two')
    for (const page of [one, two, late]) await stateHas(page, { connection: 'offline', saved: false })

    await server.restart()
    for (const page of [one, two, late]) await stateHas(page, { connection: 'online', saved: true, unsaved: 0 })
    await textIs(await pages.open(await pages.newContext(), { url: server.url }), 'one two')
  })

  test('of two users have nothing of each other, though it is one browser', async () => {
    const server = await startMortalServer(onTestFinished)
    const context = await pages.newContext()
    const open = (user: typeof ANN) => pages.open(context, { url: server.url, user, offline: true })
    const [ann, ben] = [await open(ANN), await open(BEN)]
    for (const page of [ann, ben]) await stateHas(page, { saved: true, copy: 'kept' })
    await server.kill()
    for (const page of [ann, ben]) await stateHas(page, { connection: 'offline' })
    await ann.keyboard.type('of Ann')
    const anotherOfAnn = await open(ANN)
    await textIs(anotherOfAnn, 'of Ann')
    const anotherOfBen = await open(BEN)
    await stateHas(anotherOfBen, { copy: 'kept', connection: 'offline' })
    await ben.keyboard.type('of Ben')
    await textIs(anotherOfBen, 'of Ben')
    for (const page of [ann, anotherOfAnn]) await textIs(page, 'of Ann')
    await textIs(ben, 'of Ben')
  })
})
