/**
 * The ends of a range of `length` characters that begins at a place between 0 and 1 of the text, as far as there are
 * that many.
 */
export function wholeCharacters(text: string, at: number, length: number): [number, number] {
  const characters = [...text]
  const first = Math.floor(at * characters.length)
  const start = characters.slice(0, first).join('').length
  return [start, start + characters.slice(first, first + length).join('').length]
}
