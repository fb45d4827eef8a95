import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { applySplice, findSplice } from '../../client/src/binding/splice.ts'
import { runs } from '../support/runs.ts'

/** Few letters, so that edits are ambiguous; characters of two units with one half in common. */
const character = fc.constantFrom('a', 'a', 'a', 'b', '\n', '😀', '😁', '🚀')
const text = fc.array(character, { maxLength: 12 }).map((characters) => characters.join(''))
/** Any sequence of UTF-16 units, lone halves of surrogate pairs among them. */
const units = fc
  .array(fc.constantFrom('a', 'b', '\ud83d', '\ud83e', '\ude00', '\ude01'), { maxLength: 12 })
  .map((list) => list.join(''))

/** A text and a range in it that cuts no character. */
const textWithRange = fc.tuple(text, text, text).map(([before, inside, after]) => ({
  text: before + inside + after,
  start: before.length,
  end: before.length + inside.length,
}))

function cutsPair(value: string, index: number): boolean {
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(value.slice(index - 1, index + 1))
}

describe('findSplice', () => {
  test('typing in a run of one letter inserts at the caret', () => {
    expect(findSplice('aaaa', 'aaaaa', 1, { anchor: 0, head: 0 })).toEqual({
      index: 0,
      remove: 0,
      insert: 'a',
    })
  })

  test('Backspace in a run of one letter deletes before the caret', () => {
    expect(findSplice('aaaa', 'aaa', 2, { anchor: 3, head: 3 })).toEqual({
      index: 2,
      remove: 1,
      insert: '',
    })
  })

  test('Delete in a run of one letter deletes after the caret', () => {
    expect(findSplice('aaaa', 'aaa', 1, { anchor: 1, head: 1 })).toEqual({
      index: 1,
      remove: 1,
      insert: '',
    })
  })

  test('a selection dragged away is what is deleted, wherever the caret is then', () => {
    expect(findSplice('aaaa', 'aa', 0, { anchor: 1, head: 3 })).toEqual({
      index: 1,
      remove: 2,
      insert: '',
    })
  })

  test('a small change with the caret far away stays small', () => {
    expect(findSplice('one two three', 'one 2 three', 11)).toEqual({ index: 4, remove: 3, insert: '2' })
  })

  test('a character that shares its first half with the old one is replaced whole', () => {
    expect(findSplice('a😀b', 'a😁b', 3)).toEqual({ index: 1, remove: 2, insert: '😁' })
  })

  test('a character that shares its second half with the old one is replaced whole', () => {
    expect(findSplice('a\u{1f600}b', 'a\u{1fa00}b', 3)).toEqual({ index: 1, remove: 2, insert: '\u{1fa00}' })
  })

  test('equal texts need no splice', () => {
    expect(findSplice('a', 'a', 0)).toBeNull()
  })

  test('whatever the hints say, the splice leads from one text to the other and cuts no surrogate pair', () => {
    const selections = fc.option(fc.record({ anchor: fc.nat(30), head: fc.nat(30) }))
    fc.assert(
      fc.property(
        fc.oneof(text, units),
        fc.oneof(text, units),
        fc.nat(30),
        selections,
        (before, after, caret, selection) => {
          const splice = findSplice(before, after, caret, selection)
          if (splice === null) {
            expect(after).toBe(before)
            return
          }
          expect(applySplice(before, splice)).toBe(after)
          const { index, remove, insert } = splice
          const cuts = [
            cutsPair(before, index),
            cutsPair(before, index + remove),
            cutsPair(after, index),
            cutsPair(after, index + insert.length),
          ]
          expect(cuts).toEqual([false, false, false, false])
        },
      ),
      { numRuns: runs(2000) },
    )
  })

  test('an insertion is found where it was made', () => {
    const insertion = fc.tuple(
      textWithRange,
      text.filter((value) => value !== ''),
    )
    fc.assert(
      fc.property(insertion, ([{ text: before, start }, insert]) => {
        const made = { index: start, remove: 0, insert }
        const caret = { anchor: start, head: start }
        expect(findSplice(before, applySplice(before, made), start + insert.length, caret)).toEqual(made)
      }),
      { numRuns: runs(1000) },
    )
  })

  test('a deletion is found where it was made', () => {
    fc.assert(
      fc.property(
        textWithRange.filter(({ start, end }) => end > start),
        fc.boolean(),
        ({ text: before, start, end }, selected) => {
          const made = { index: start, remove: end - start, insert: '' }
          const selection = { anchor: selected ? start : end, head: end }
          expect(findSplice(before, applySplice(before, made), start, selection)).toEqual(made)
        },
      ),
      { numRuns: runs(1000) },
    )
  })
})
