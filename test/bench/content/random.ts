/** Repeatable random numbers (mulberry32), so that every server and every run gets the same content. */
export interface Random {
  /** In [0, 1). */
  next(): number
  /** A whole number in [0, below). */
  below(below: number): number
}

export function seeded(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { next, below: (below) => Math.floor(next() * below) }
}

const LETTERS = 'etaoinshrdlucmfwygpbvkxqjz'

/** A word of 1 to 9 letters and the blank after it; frequent letters are frequent. */
export function randomWord(random: Random): string {
  let word = ''
  for (let length = 1 + random.below(9); length > 0; length -= 1) {
    word += LETTERS[Math.floor(random.next() ** 2 * LETTERS.length)]
  }
  return `${word} `
}

export function randomText(random: Random, length: number): string {
  let text = ''
  while (text.length < length) text += randomWord(random)
  return text.slice(0, length)
}
