import type { Random } from '../../support/random.ts'

/** The more frequent letters come first. */
const LETTERS = 'etaoinshrdlucmfwygpbvkxqjz'
const MAX_WORD = 9

/** Words of lower-case letters with blanks between them, cut at `length`. */
export function randomText(random: Random, length: number): string {
  let text = ''
  while (text.length < length) text += `${randomWord(random)} `
  return text.slice(0, length)
}

function randomWord(random: Random): string {
  let word = ''
  for (let length = 1 + random.below(MAX_WORD); length > 0; length -= 1) {
    word += LETTERS[random.below(1 + random.below(LETTERS.length))]
  }
  return word
}
