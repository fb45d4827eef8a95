import { expect, test } from 'vitest'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { setOverlayStage } from './harness/overlay-stage.ts'

const stage = setOverlayStage()

test('after any edits the measured copy has the text of the element, in blocks of whole lines', async () => {
  const page = await stage.open('')
  const random = new Random(1)
  const edits = Array.from({ length: runs(60) }, () => ({
    at: random.below(1_000_000) / 1_000_000,
    remove: random.below(3_000),
    insert: random.pick(['', 'a', '\n', 'one\n'.repeat(5), `${'long '.repeat(300)}\n`.repeat(4), '\n\n']),
  }))
  const differences = await page.evaluate(async (list) => {
    const { scene } = overlays
    const differences: string[] = []
    for (const { at, remove, insert } of list) {
      const { length } = scene.text
      const index = Math.floor(at * length)
      if (remove % 3 === 0) scene.text.delete(index, Math.min(remove, length - index))
      scene.text.insert(Math.min(index, scene.text.length), insert)
      scene.peer('Ann').select(0)
      await overlays.painted()
      await overlays.painted()
      const blocks = Array.from(scene.root.querySelectorAll('.mirror > *'), ({ textContent }) => textContent)
      if (blocks.join('') !== `${scene.element.value}\n`) differences.push(`not the text after ${insert}`)
      if (!blocks.every((block) => block?.endsWith('\n'))) differences.push(`half a line after ${insert}`)
    }
    return differences
  }, edits)
  expect(differences).toEqual([])
})

test('in a megabyte of text an edit makes one block of the measured copy anew, and none before the first cursor', async () => {
  const page = await stage.open('a line of some length\n'.repeat(50_000))
  const counts = await page.evaluate(async () => {
    const { scene } = overlays
    const blocks = () => [...scene.root.querySelectorAll('.mirror > *')]
    await overlays.painted()
    const none = blocks().length
    scene.peer('Ann').select(100)
    await overlays.painted()
    const before = new Set(blocks())
    scene.element.focus()
    scene.element.setSelectionRange(500_000, 500_000)
    document.execCommand('insertText', false, '\n')
    await overlays.painted()
    return { none, many: before.size > 100, fresh: blocks().filter((block) => !before.has(block)).length }
  })
  expect(counts).toEqual({ none: 0, many: true, fresh: 1 })
})
