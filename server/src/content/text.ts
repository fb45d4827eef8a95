import type * as Y from 'yjs'
import { conflict, invalid } from './refused.ts'
import type { TextEdit } from './requests.ts'
import type { View } from './view.ts'

/** Makes a text another one; what both begin and end with stays, with its formatting and the cursors in it. */
export function replaceText(text: Y.Text, value: string): void {
  const { index, length, insert } = difference(String(text), value)
  text.delete(index, length)
  text.insert(index, insert)
}

/**
 * Applies edits whose positions are those of the text that whoever asks has seen, all of them at once.
 * @throws Refused EDIT_CONFLICT, EDIT_OUTDATED, BODY_INVALID
 */
export function editText(text: Y.Text, edits: readonly TextEdit[], view: View): void {
  const splices = edits.flatMap((edit) => ('find' in edit ? found(text, edit) : carried(text, edit, view)))
  // From the last to the first, so that none moves another one.
  splices.sort((one, other) => other.index - one.index || other.length - one.length)
  for (const [place, { index, length }] of splices.slice(1).entries()) {
    if (index + length > (splices[place]?.index ?? 0)) throw invalid(`two edits change what is at ${index}`)
  }
  for (const { index, length, insert } of splices) {
    text.delete(index, length)
    text.insert(index, insert)
  }
}

/** In the text as it is now. */
interface Splice {
  readonly index: number
  readonly length: number
  readonly insert: string
}

function found(text: Y.Text, { find, replace, all = false }: Extract<TextEdit, { find: string }>): Splice[] {
  if (find === '') throw invalid('there is nothing to find')
  const present = String(text)
  const change = difference(find, replace)
  const splices: Splice[] = []
  for (let index = present.indexOf(find); index >= 0; index = present.indexOf(find, index + find.length)) {
    splices.push({ ...change, index: index + change.index })
    if (!all) break
  }
  if (splices.length === 0) throw conflict('what is to be replaced is not in the text')
  return splices
}

function carried(
  text: Y.Text,
  { index, delete: length = 0, insert = '' }: Extract<TextEdit, { index: number }>,
  view: View,
): Splice[] {
  const present = String(text)
  const splices = view.ranges(text, index, length).map((range) => ({ ...range, insert: '' }))
  const all = insert === '' ? splices : [...splices, { index: view.gap(text, index), length: 0, insert }]
  for (const splice of all) expectPlace(present, splice)
  return all
}

function expectPlace(text: string, { index, length }: Splice): void {
  if (index + length > text.length) throw conflict(`the text ends at ${text.length}, before ${index + length}`)
  for (const place of [index, index + length]) {
    if (isInsidePair(text, place)) throw invalid(`position ${place} lies inside of a character`)
  }
}

/** What makes one text of another, without what both begin and end with; pairs of surrogates stay whole. */
function difference(before: string, after: string): Splice {
  const most = Math.min(before.length, after.length)
  let start = 0
  while (start < most && before[start] === after[start]) start++
  if (isInsidePair(before, start) || isInsidePair(after, start)) start--
  let end = 0
  while (end < most - start && before.at(-1 - end) === after.at(-1 - end)) end++
  if (isInsidePair(before, before.length - end) || isInsidePair(after, after.length - end)) end--
  return { index: start, length: before.length - start - end, insert: after.slice(start, after.length - end) }
}

/** Whether a position is between the two halves of a surrogate pair, which Yjs would break. */
function isInsidePair(text: string, index: number): boolean {
  return /[\ud800-\udbff]/.test(text[index - 1] ?? '') && /[\udc00-\udfff]/.test(text[index] ?? '')
}
