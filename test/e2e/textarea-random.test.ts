import * as fc from 'fast-check'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { runs } from '../support/runs.ts'
import { inputMethod, setStage } from './harness/stage.ts'

const stage = setStage()

describe('any sequence of edits', () => {
  interface Editor {
    readonly page: Page
    readonly compose: (text: string) => Promise<void>
    readonly commit: (text: string) => Promise<void>
  }
  type Step = (editor: Editor) => Promise<void>

  /** A step that fast-check prints as `title` when a sequence fails. */
  function step(title: string, run: Step): Step {
    return Object.assign(run, { [fc.toStringMethod]: () => title })
  }

  const place = fc.double({ min: 0, max: 1, noNaN: true })
  const range = fc.record({ at: place, length: fc.nat(3) })
  const steps: fc.Arbitrary<Step> = fc.oneof(
    fc
      .constantFrom('a', 'b', '😀', '😁', 'word ')
      .map((text) => step(`type ${text}`, ({ page }) => page.keyboard.insertText(text))),
    fc
      .constantFrom('Backspace', 'Delete', 'Enter', 'a', 'ControlOrMeta+z', 'ControlOrMeta+y')
      .map((key) => step(`press ${key}`, ({ page }) => page.keyboard.press(key))),
    fc.constantFrom('に', 'にほ', '').map((text) => step(`compose ${text}`, ({ compose }) => compose(text))),
    fc.constantFrom('日', '日本').map((text) => step(`commit ${text}`, ({ commit }) => commit(text))),
    range.map((where) =>
      step(`select ${fc.stringify(where)}`, ({ page }) => page.evaluate((at) => harness.scene.select(at), where)),
    ),
    fc
      .tuple(range, fc.constantFrom('', 'X', '😂', '\r\n'))
      .map(([where, insert]) =>
        step(`remotely ${fc.stringify({ ...where, insert })}`, ({ page }) =>
          page.evaluate((edit) => harness.scene.replaceRemotely(edit), { ...where, insert }),
        ),
      ),
    fc
      .tuple(range, fc.constantFrom('', 'W', '😂'))
      .map(([where, insert]) =>
        step(`overwrite ${fc.stringify({ ...where, insert })}`, ({ page }) =>
          page.evaluate((edit) => harness.scene.overwrite(edit), { ...where, insert }),
        ),
      ),
    fc.constant(step('wait for a frame', ({ page }) => page.evaluate(() => harness.nextFrame()))),
    fc.constant(step('exchange', ({ page }) => page.evaluate(() => harness.scene.exchange()))),
  )

  test('by keys, input method, undo, other code and others: all texts are one, and the element shows it', async () => {
    const page = await stage.open('')
    const editor: Editor = { page, ...(await inputMethod(page)) }
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 15 }), async (sequence) => {
        await page.evaluate(() => harness.begin('one 😀\r\ntwo\r\n'))
        for (const run of sequence) await run(editor)
        const end = await page.evaluate(async () => {
          harness.scene.element.blur()
          harness.scene.exchange()
          await harness.nextFrame()
          harness.scene.exchange()
          const { element, mine, theirs } = harness.scene
          return { shown: element.value, mine: mine.toString(), theirs: theirs.toString() }
        })
        expect(end.theirs).toBe(end.mine)
        expect(end.shown).toBe(end.mine.replaceAll(/\r\n?/g, '\n'))
        expect(end.mine).not.toContain('\uFFFD')
      }),
      { numRuns: runs(60) },
    )
  })
})
