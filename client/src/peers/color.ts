/** For peers without a colour of their own. All differ well from each other, from black and from white. */
const PALETTE = [
  '#c2410c',
  '#15803d',
  '#1d4ed8',
  '#a21caf',
  '#0e7490',
  '#b91c1c',
  '#6d28d9',
  '#a16207',
  '#be185d',
  '#4d7c0f',
]

/** `#rgb` or `#rrggbb` as `#rrggbb`, in small letters; null for everything else. */
export function readColor(value: unknown): string | null {
  if (typeof value !== 'string' || !/^#([\da-f]{3}){1,2}$/i.test(value)) return null
  const digits = value.slice(1).toLowerCase()
  return `#${digits.length === 6 ? digits : digits.replace(/./g, '$&$&')}`
}

/** The colour of a client that chose none: always the same for the same client id. */
export function colorOf(clientId: number): string {
  return PALETTE[clientId % PALETTE.length]
}

/** The colour of text on a background of the given `#rrggbb`: black or white, by contrast, which is at least 4.5 : 1. */
export function inkOn(color: string): '#000000' | '#ffffff' {
  // Where black and white contrast alike: (L + 0.05) / 0.05 = 1.05 / (L + 0.05).
  return luminance(color) > 0.179 ? '#000000' : '#ffffff'
}

/** Relative luminance, 0 to 1 (WCAG 2.2), but for the darkest channels, where it is up to 0.0008 too high. */
function luminance(color: string): number {
  const linear = (at: number) => ((Number.parseInt(color.slice(at, at + 2), 16) / 255 + 0.055) / 1.055) ** 2.4
  return 0.2126 * linear(1) + 0.7152 * linear(3) + 0.0722 * linear(5)
}
