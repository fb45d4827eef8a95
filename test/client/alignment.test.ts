import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Alignment,
  align,
  editShared,
  editShown,
  lengthOf,
  toShared,
  toShown,
} from '../../client/src/binding/alignment.ts'
import { applySplice, type Splice } from '../../client/src/binding/splice.ts'
import { runs } from '../support/runs.ts'

const piece = fc
  .array(fc.constantFrom('a', 'b', 'c', '\n', '\r\n', '\r\n'), { maxLength: 6 })
  .map((all) => all.join(''))

/** What a textarea shows of a text. */
function shownText(shared: string): string {
  return shared.replace(/\r\n?/g, '\n')
}

function alignmentOf(shared: string): Alignment {
  return align(shownText(shared), shared)
}

/** A splice whose place is given as fractions, so that it fits a text of any length. */
const place = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), length: fc.nat(4), insert: piece })
interface Place {
  readonly at: number
  readonly length: number
  readonly insert: string
}

function spliceIn(value: string, { at, length, insert }: Place): Splice {
  const index = Math.floor(at * value.length)
  return { index, remove: Math.min(length, value.length - index), insert }
}

function applyShared(shared: string, alignment: Alignment, splice: Splice) {
  const edit = editShown(alignment, splice)
  let next = shared
  for (const { index, length } of edit.deletions) next = applySplice(next, { index, remove: length, insert: '' })
  next = applySplice(next, { index: edit.insertAt, remove: 0, insert: splice.insert })
  return { shared: next, alignment: edit.alignment }
}

/** Gives texts in which no character comes twice. */
function distinctCharacters(): (length: number) => string {
  let next = 0x4e00
  return (length) => Array.from({ length }, () => String.fromCharCode(next++)).join('')
}

function without(text: string, characters: string): string {
  return [...text].filter((letter) => !characters.includes(letter)).join('')
}

describe('Alignment', () => {
  test('a line end of two characters counts as one in the element', () => {
    const alignment = alignmentOf('one\r\ntwo\r\nthree')
    expect([3, 4, 8].map((offset) => toShared(alignment, offset, 'before'))).toEqual([3, 5, 10])
    expect([3, 5, 10].map((offset) => toShown(alignment, offset))).toEqual([3, 4, 8])
  })

  test('deleting a line end deletes both of its characters', () => {
    const edit = editShown(alignmentOf('a\r\nb'), { index: 1, remove: 1, insert: '' })
    expect(edit.deletions).toEqual([{ index: 1, length: 2 }])
  })

  test('deleting around a remote insert that is not shown yet leaves it', () => {
    const alignment = editShared(alignmentOf('abcd'), [{ retain: 2 }, { insert: 'XY' }])
    const result = applyShared('abXYcd', alignment, { index: 1, remove: 2, insert: '-' })
    expect(result.shared).toBe('a-XYd')
  })

  test('deleting what others deleted already deletes nothing else', () => {
    const alignment = editShared(alignmentOf('abcd'), [{ retain: 1 }, { delete: 2 }])
    expect(editShown(alignment, { index: 1, remove: 2, insert: '' }).deletions).toEqual([])
  })

  test('a caret at a remote insert stays before it, or goes after it on demand', () => {
    const alignment = editShared(alignmentOf('abcd'), [{ retain: 2 }, { insert: 'XY' }])
    expect([toShared(alignment, 2, 'before'), toShared(alignment, 2, 'after')]).toEqual([2, 4])
  })

  test('an edit of the element, with nothing waiting, changes the shared text as it changed the element', () => {
    fc.assert(
      fc.property(piece, piece, place, (one, other, where) => {
        const shared = one + other
        const shown = shownText(shared)
        const splice = { ...spliceIn(shown, where), insert: shownText(where.insert) }
        const result = applyShared(shared, alignmentOf(shared), splice)
        expect(shownText(result.shared)).toBe(applySplice(shown, splice))
        expect(lengthOf(result.alignment, 'shared')).toBe(result.shared.length)
      }),
      { numRuns: runs(1000) },
    )
  })

  test('edits of both sides while remote changes wait: every character is found, none of the others is touched', () => {
    const steps = fc.array(fc.record({ isLocal: fc.boolean(), where: place, length: fc.nat(4) }), { maxLength: 12 })
    fc.assert(
      fc.property(fc.nat(10), steps, (length, edits) => {
        const fresh = distinctCharacters()
        let shown = fresh(length)
        let shared = shown
        let alignment = alignmentOf(shared)
        for (const { isLocal, where, length } of edits) {
          if (isLocal) {
            const splice = spliceIn(shown, { ...where, insert: fresh(length) })
            const removed = shown.slice(splice.index, splice.index + splice.remove)
            const before = shared
            ;({ shared, alignment } = applyShared(shared, alignment, splice))
            shown = applySplice(shown, splice)
            expect(without(shared, splice.insert)).toBe(without(before, removed))
          } else {
            const splice = spliceIn(shared, { ...where, insert: fresh(length) })
            shared = applySplice(shared, splice)
            const { index: retain, remove, insert } = splice
            alignment = editShared(alignment, [{ retain }, { insert }, { delete: remove }])
          }
          const survivors = [...shown].filter((letter) => shared.includes(letter))
          expect([...shared].filter((letter) => shown.includes(letter))).toEqual(survivors)
          for (const letter of survivors) {
            expect(shared[toShared(alignment, shown.indexOf(letter), 'after')]).toBe(letter)
            expect(toShown(alignment, shared.indexOf(letter) + 1)).toBe(shown.indexOf(letter) + 1)
          }
        }
      }),
      { numRuns: runs(500) },
    )
  })

  test.each([
    ['leaves out line ends', 'one two', 'one\r\n two\n'],
    ['leaves out what is around it', 'a b', ' \n a b '],
    ['shows something else', 'xn--a', 'ä'],
  ])('an element that %s is aligned in full', (_title, shown, shared) => {
    const alignment = align(shown, shared)
    expect(lengthOf(alignment, 'shared')).toBe(shared.length)
    expect(toShown(alignment, shared.length)).toBeLessThanOrEqual(shown.length)
    expect(toShared(alignment, shown.length, 'after')).toBe(shared.length)
  })

  test('what an element leaves out is not deleted with what is around it', () => {
    const result = applyShared('a\nb', align('ab', 'a\nb'), { index: 0, remove: 2, insert: 'x' })
    expect(result.shared).toBe('x\n')
  })
})
