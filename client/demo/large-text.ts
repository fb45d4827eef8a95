const WORDS =
  'time year way day thing world life hand part child eye woman place work week case point company number'.split(' ')
const WORDS_PER_LINE = 12

/** A text of `length` characters, in numbered lines of words. */
export function largeText(length: number): string {
  const lines: string[] = []
  let written = 0
  for (let number = 1; written < length; number++) {
    const line = `${number} ${words(number)}\n`
    lines.push(line)
    written += line.length
  }
  return lines.join('').slice(0, length)
}

/** Neither random, so that it is the same for all, nor alike in neighbouring lines. */
function words(seed: number): string {
  return Array.from({ length: WORDS_PER_LINE }, (_, at) => WORDS[(seed * (at + 7) + at * at) % WORDS.length]).join(' ')
}
