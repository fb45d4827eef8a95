/** How the files end that hold a document as one update. */
export const SUFFIX = '.bin'

/*
 * A document `team/notes` is the file team/notes.bin, as Hocuspocus' extension for S3 names it. Not every name can be a
 * path on every system; such a document is in the folder `%hex`: the bytes of its name as digits, in parts, each but the
 * last a folder. So each name has a path of its own, and each path gives the name back.
 */
const ODD_NAMES = '%hex'
const DIGITS = /^(?:[0-9a-f]{2})+$/
const DIGITS_OF_A_PART = 200
/** Systems take 255 bytes for a part of a path. */
const MAX_PART_BYTES = 255 - SUFFIX.length
/** Systems on which upper and lower case, or two encodings of a letter, may be the same, and some names are taken. */
const CHOOSY: readonly NodeJS.Platform[] = ['win32', 'darwin']
const SAFE = /^(?!(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$))[a-z0-9 _+@=,.-]*[a-z0-9_+@=,-]$/

/** The parts of the path of a document's file. */
export function fileOfName(name: string, platform: NodeJS.Platform = process.platform): readonly string[] {
  const parts = name.split('/')
  const [last = ''] = parts.splice(-1)
  const isPlain =
    [...parts, last].every((part) => isPart(part, platform)) &&
    parts[0] !== ODD_NAMES &&
    // A folder may not be called as another document's file.
    !parts.some((part) => part.endsWith(SUFFIX))
  if (isPlain) return [...parts, last + SUFFIX]

  const digits = Buffer.from(name).toString('hex')
  const runs = Array.from({ length: Math.ceil(digits.length / DIGITS_OF_A_PART) }, (_, index) =>
    digits.slice(index * DIGITS_OF_A_PART, (index + 1) * DIGITS_OF_A_PART),
  )
  return [ODD_NAMES, ...runs.slice(0, -1), `${runs.at(-1)}${SUFFIX}`]
}

/** The name of the document in a file that ends as such files do. */
export function nameOfFile([first = '', ...others]: readonly string[]): string {
  const digits = others.join('').slice(0, -SUFFIX.length)
  if (first === ODD_NAMES && DIGITS.test(digits)) return Buffer.from(digits, 'hex').toString()
  return [first, ...others].join('/').slice(0, -SUFFIX.length)
}

function isPart(part: string, platform: NodeJS.Platform): boolean {
  if (part === '' || Buffer.byteLength(part) > MAX_PART_BYTES) return false
  return !CHOOSY.includes(platform) || SAFE.test(part)
}
