import { recall, remember } from './memory.ts'

/** Who an editor is to the others. */
export interface Identity {
  readonly name: string
  /** As `#rrggbb`. */
  readonly color: string
}

/** White stands out from each by 4.8 : 1, and each from light and from dark paper by 3.4 : 1 (WCAG 2.2: 4.5 and 3). */
const COLORS: readonly (readonly [name: string, color: string])[] = [
  ['Amber', '#a36208'],
  ['Azure', '#0277b4'],
  ['Coral', '#d03921'],
  ['Fern', '#37803a'],
  ['Indigo', '#5165df'],
  ['Plum', '#ad42bf'],
  ['Rose', '#d1305f'],
  ['Slate', '#5a7487'],
  ['Teal', '#0b7f74'],
  ['Violet', '#804df5'],
]

const ANIMALS: readonly string[] = [
  'Badger',
  'Beaver',
  'Crane',
  'Dolphin',
  'Falcon',
  'Fox',
  'Hare',
  'Heron',
  'Lynx',
  'Marten',
  'Otter',
  'Owl',
  'Panda',
  'Robin',
  'Seal',
  'Wren',
]

/**
 * Who the editor `slot` of this page was before, or somebody new, unlike the one `beside`. What was chosen goes
 * for the whole browser; what was given goes for the tab, so that two tabs can be told apart.
 */
export function recallIdentity(slot: string, beside?: Identity): Identity {
  const known = parse(recall('browser', slot)) ?? parse(recall('tab', slot))
  if (known !== undefined) return known
  const given = randomIdentity(beside)
  remember('tab', slot, JSON.stringify(given))
  return given
}

export function rememberIdentity(slot: string, identity: Identity): void {
  remember('browser', slot, JSON.stringify(identity))
}

/** A colour for somebody of whom only the name is known: always the same. */
export function colorOfName(name: string): string {
  const sum = [...name].reduce((before, character) => (before * 31 + (character.codePointAt(0) ?? 0)) % 9973, 0)
  return COLORS[sum % COLORS.length]?.[1] ?? ''
}

function randomIdentity(beside: Identity | undefined): Identity {
  const [colorName, color] = pick(COLORS.filter((one) => one[1] !== beside?.color))
  const animal = pick(ANIMALS.filter((name) => !beside?.name.endsWith(name)))
  return { name: `${colorName} ${animal}`, color }
}

function pick<T>(from: readonly T[]): T {
  const one = from[Math.floor(Math.random() * from.length)]
  if (one === undefined) throw new RangeError('nothing to pick from')
  return one
}

/** Undefined for what is not an identity: another version of this page, or anybody, may have written it. */
function parse(json: string | null): Identity | undefined {
  if (json === null) return undefined
  try {
    const { name, color }: Partial<Record<string, unknown>> = JSON.parse(json)
    if (typeof name !== 'string' || typeof color !== 'string') return undefined
    return name.trim() !== '' && /^#[\da-f]{6}$/.test(color) ? { name, color } : undefined
  } catch {
    return undefined
  }
}
