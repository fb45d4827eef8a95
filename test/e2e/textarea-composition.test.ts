import { describe, expect, test } from 'vitest'
import { inputMethod, select, selection, setStage, texts } from './harness/stage.ts'

const stage = setStage()

describe('an input method', () => {
  test('goes on composing while remote edits before and after it wait, and all is there in the end', async () => {
    const page = await stage.open('ab')
    const { compose, commit } = await inputMethod(page)
    await select(page, 1)
    await compose('に')
    await page.evaluate(() =>
      harness.scene.remotely((text) => {
        text.insert(2, 'YY')
        text.insert(0, 'XX')
      }),
    )
    expect(await texts(page)).toEqual({ shown: 'aにb', shared: 'XXaにbYY' })
    await compose('にほ')
    expect(await texts(page)).toEqual({ shown: 'aにほb', shared: 'XXaにほbYY' })
    await page.evaluate(() => harness.scene.remotely((text) => text.delete(2, 1)))
    await commit('日本')
    expect(await texts(page)).toEqual({ shown: 'XX日本bYY', shared: 'XX日本bYY' })
    expect(await selection(page)).toEqual([4, 4])
  })

  test('that gives up leaves what others did meanwhile', async () => {
    const page = await stage.open('ab')
    const { compose } = await inputMethod(page)
    await select(page, 1)
    await compose('に')
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(1, 'XX')))
    await compose('')
    await page.evaluate(() => harness.scene.element.blur())
    expect(await texts(page)).toEqual({ shown: 'aXXb', shared: 'aXXb' })
  })

  test('whose composition is deleted as a whole lets remote edits in with the next key', async () => {
    const page = await stage.open('ab')
    const { compose } = await inputMethod(page)
    await compose('に')
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(2, 'X')))
    await page.keyboard.press('Backspace')
    await page.keyboard.press('Control')
    expect(await texts(page)).toEqual({ shown: 'abX', shared: 'abX' })
  })

  test('composing over a selection replaces it, and one undo brings it back, selected', async () => {
    const page = await stage.open('one two three')
    const { compose, commit } = await inputMethod(page)
    await select(page, 4, 7)
    await compose('に')
    await compose('にほ')
    await commit('日本')
    expect((await texts(page)).shared).toBe('one 日本 three')
    await page.keyboard.press('ControlOrMeta+z')
    expect(await texts(page)).toEqual({ shown: 'one two three', shared: 'one two three' })
    expect(await selection(page)).toEqual([4, 7])
  })

  test('makes one step of a composition however long it takes, and none of two compositions', async () => {
    const page = await stage.open('')
    const { compose, commit } = await inputMethod(page)
    await page.keyboard.type('typed ')
    // As if each part had come long after the one before.
    await page.evaluate(() => {
      let now = Date.now()
      Date.now = () => {
        now += 10_000
        return now
      }
    })
    for (const word of ['日本', '東京']) {
      await compose('に')
      await compose('にほ')
      await commit(word)
    }
    expect((await texts(page)).shared).toBe('typed 日本東京')
    const seen: string[] = []
    for (let n = 0; n < 3; n++) {
      await page.keyboard.press('ControlOrMeta+z')
      seen.push((await texts(page)).shared)
    }
    expect(seen).toEqual(['typed 日本', 'typed ', expect.not.stringContaining('typed ')])
  })

  test('is not mixed with what is typed right before and after it', async () => {
    const page = await stage.open('')
    const { compose, commit } = await inputMethod(page)
    await page.evaluate(() => {
      harness.scene.binding.undoManager.captureTimeout = 1e9
    })
    await page.keyboard.type('a')
    await compose('に')
    await commit('日')
    await page.keyboard.type('b')
    const seen: string[] = []
    for (let n = 0; n < 3; n++) {
      await page.keyboard.press('ControlOrMeta+z')
      seen.push((await texts(page)).shared)
    }
    expect(seen).toEqual(['a日', 'a', ''])
  })

  test('leaves a composition in its place where an observer answers edits with edits', async () => {
    const page = await stage.open('ab')
    await page.evaluate(() => harness.bindBehindAnswers())
    await select(page, 1)
    const { compose, commit } = await inputMethod(page)
    await page.evaluate(() => harness.scene.remotely((text) => text.insert(0, '!')))
    await compose('に')
    await page.evaluate(() => harness.scene.remotely((text) => text.delete(0, 1)))
    await compose('にほ')
    await commit('日本')
    expect(await texts(page)).toEqual({ shown: '!a日本b', shared: '!a日本b' })
  })

  describe('that keeps a word open', () => {
    test('lets in what others did when it rests, after what is composed is sent', async () => {
      const page = await stage.open('ab')
      await page.clock.install()
      const { compose, commit } = await inputMethod(page)
      await select(page, 1)
      await compose('に')
      await page.clock.runFor(10_000)
      await page.evaluate(() => harness.scene.replaceRemotely({ at: 0, length: 0, insert: 'XX' }))
      await page.clock.runFor(3900)
      expect(await texts(page)).toEqual({ shown: 'aにb', shared: 'XXaにb' })
      await page.clock.runFor(200)
      expect(await texts(page)).toEqual({ shown: 'XXaにb', shared: 'XXaにb' })
      expect(await selection(page)).toEqual([4, 4])
      await compose('ほ')
      await page.evaluate(() => harness.scene.replaceRemotely({ at: 1, length: 0, insert: 'YY' }))
      await page.clock.runFor(1000)
      expect((await texts(page)).shown).not.toContain('YY')
      await commit('本')
      expect(await texts(page)).toEqual({ shown: 'XXaに本bYY', shared: 'XXaに本bYY' })
    })

    test('is not disturbed while it goes on, or where others do nothing', async () => {
      const page = await stage.open('ab')
      await page.clock.install()
      const { compose, commit } = await inputMethod(page)
      await select(page, 1)
      for (const word of ['に', 'にほ', 'にほん']) {
        await compose(word)
        await page.evaluate(() => harness.scene.replaceRemotely({ at: 0, length: 0, insert: 'X' }))
        await page.clock.runFor(3000)
        expect((await texts(page)).shown).toBe(`a${word}b`)
      }
      await commit('日本')
      expect(await texts(page)).toEqual({ shown: 'XXXa日本b', shared: 'XXXa日本b' })
      await compose('ご')
      await page.clock.runFor(60_000)
      await compose('ごご')
      await commit('午後')
      expect(await texts(page)).toEqual({ shown: 'XXXa日本午後b', shared: 'XXXa日本午後b' })
    })
  })

  describe('whose compositions are sent when they are finished', () => {
    test('sends nothing before, and all as one edit then', async () => {
      const page = await stage.open('one two three', { compositions: 'finished' })
      const { compose, commit } = await inputMethod(page)
      await select(page, 4, 7)
      await compose('に')
      await compose('にほ')
      expect(await texts(page)).toEqual({ shown: 'one にほ three', shared: 'one two three' })
      await commit('日本')
      expect(await texts(page)).toEqual({ shown: 'one 日本 three', shared: 'one 日本 three' })
      const deltas = await page.evaluate(() => harness.scene.deltas)
      expect(deltas).toHaveLength(1)
      await page.keyboard.press('ControlOrMeta+z')
      expect((await texts(page)).shared).toBe('one two three')
      expect(await selection(page)).toEqual([4, 7])
    })

    test('sends nothing when it rests either, but lets in what others did around it', async () => {
      const page = await stage.open('one two three', { compositions: 'finished' })
      await page.clock.install()
      const { compose } = await inputMethod(page)
      await select(page, 4, 7)
      await compose('に')
      await page.evaluate(() => {
        harness.scene.replaceRemotely({ at: 0, length: 0, insert: 'X' })
        harness.scene.replaceRemotely({ at: 1, length: 0, insert: 'Y' })
      })
      await page.clock.runFor(4100)
      expect(await texts(page)).toEqual({ shown: 'Xone に threeY', shared: 'Xone two threeY' })
      expect(await selection(page)).toEqual([6, 6])
      await page.evaluate(() => harness.scene.element.blur())
      expect(await texts(page)).toEqual({ shown: 'Xone に threeY', shared: 'Xone に threeY' })
    })
  })
})
