import * as Y from 'yjs'
import { colorOf, inkOn, readColor } from './color.ts'

/** Another editor of the document, as far as what it tells of itself can be believed. */
export interface Peer {
  readonly clientId: number
  /** 1 to 40 characters in one line, none of them invisible or able to reorder text; `Anonymous` for who gives none. */
  readonly name: string
  /** `#rrggbb`. One that belongs to the client id for who gives none. */
  readonly color: string
  /** The colour, `#000000` or `#ffffff`, of text on `color`: its contrast is at least 4.5 : 1. */
  readonly ink: string
  /** Where it types, null for one that does not. Its positions may belong to a text other than yours, or to none. */
  readonly cursor: Cursor | null
}

/** A selection, from where it was begun to where it was led; a caret where both are equal. */
export interface Cursor {
  readonly anchor: Y.RelativePosition
  readonly head: Y.RelativePosition
}

const ANONYMOUS = 'Anonymous'
/** In code points. */
const MAX_NAME_LENGTH = 40
/** In UTF-16 code units. What comes behind is not even looked at. */
const MAX_NAME_INPUT = 1_000
/** Controls, halves of surrogate pairs, private and unassigned characters, and what reorders text around it. */
const UNFIT = /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\p{Bidi_Control}]/gu
const VISIBLE = /[^\p{Default_Ignorable_Code_Point}\p{Z}\u2800]/u

/** Reads an awareness state, which may hold anything that JSON can: all that is malformed counts as not given. */
export function readPeer(clientId: number, state: unknown): Peer {
  const user = field(state, 'user')
  const color = readColor(field(user, 'color')) ?? colorOf(clientId)
  return {
    clientId,
    name: readName(field(user, 'name')),
    color,
    ink: inkOn(color),
    cursor: readCursor(field(state, 'cursor')),
  }
}

function readName(value: unknown): string {
  if (typeof value !== 'string') return ANONYMOUS
  const line = value.slice(0, MAX_NAME_INPUT).replace(/\s+/g, ' ').replace(UNFIT, '')
  const name = [...line.trim()].slice(0, MAX_NAME_LENGTH).join('').trim()
  return VISIBLE.test(name) ? name : ANONYMOUS
}

function readCursor(value: unknown): Cursor | null {
  const anchor = readPosition(field(value, 'anchor'))
  const head = readPosition(field(value, 'head'))
  return anchor && head && { anchor, head }
}

/** A relative position has an item, or stands at an end of a type that it names, or of one inside of an item. */
function readPosition(value: unknown): Y.RelativePosition | null {
  const item = field(value, 'item') ?? null
  const type = field(value, 'type') ?? null
  const tname = field(value, 'tname') ?? null
  const assoc = field(value, 'assoc') ?? 0
  if (item === null && type === null && tname === null) return null
  if (!isAbsentOrId(item) || !isAbsentOrId(type)) return null
  if (tname !== null && typeof tname !== 'string') return null
  if (typeof assoc !== 'number') return null
  return Y.createRelativePositionFromJSON({ item, type, tname, assoc })
}

function isAbsentOrId(value: unknown): boolean {
  return value === null || (isCount(field(value, 'client')) && isCount(field(value, 'clock')))
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
