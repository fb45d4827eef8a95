import { recall, remember } from './memory.ts'

/** Who an editor is to the others. */
export interface Identity {
  readonly name: string
  /** As `#rrggbb`. */
  readonly color: string
}

/** Each stands out by 3 : 1 or more from light and from dark paper (WCAG 2.2, 1.4.11). */
const COLORS: readonly (readonly [name: string, color: string])[] = [
  ['Amber', '#c2740a'],
  ['Azure', '#0284c7'],
  ['Copper', '#b8653a'],
  ['Coral', '#e0533d'],
  ['Fern', '#3f9142'],
  ['Indigo', '#5b6ee1'],
  ['Plum', '#b04ac2'],
  ['Rose', '#d6456f'],
  ['Teal', '#0d9488'],
  ['Violet', '#8b5cf6'],
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
 * Who the editor `slot` of this page was before, or somebody new, in another colour than `beside`. What was chosen goes
 * for the whole browser; what was given goes for the tab, so that two tabs can be told apart.
 */
export function recallIdentity(slot: string, beside?: Identity): Identity {
  const known = parse(recall('browser', slot)) ?? parse(recall('tab', slot))
  if (known !== undefined) return known
  const given = randomIdentity(COLORS.filter(([, color]) => color !== beside?.color))
  remember('tab', slot, JSON.stringify(given))
  return given
}

export function rememberIdentity(slot: string, identity: Identity): void {
  remember('browser', slot, JSON.stringify(identity))
}

function randomIdentity(colors: typeof COLORS): Identity {
  const [colorName, color] = pick(colors)
  return { name: `${colorName} ${pick(ANIMALS)}`, color }
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
