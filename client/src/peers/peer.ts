import type { Awareness } from 'y-protocols/awareness'
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

/** The longest name, in code points. */
const MAX_NAME_LENGTH = 40
/** How much of a name is looked at, in UTF-16 code units. */
const MAX_NAME_INPUT = 1_000
/** Controls, halves of surrogate pairs, private and unassigned characters, and what reorders text around it. */
const UNFIT = /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\p{Bidi_Control}]/gu
const VISIBLE = /[^\p{Default_Ignorable_Code_Point}\p{Z}\u2800]/u

/** Everybody in an awareness but its own client. States may hold anything: what is malformed counts as not given. */
export function readPeers(awareness: Awareness): Peer[] {
  const peers = Array.from(awareness.getStates(), ([clientId, state]) => readPeer(clientId, state))
  return peers.filter(({ clientId }) => clientId !== awareness.clientID)
}

export function readPeer(clientId: number, state: unknown): Peer {
  const user = field(state, 'user')
  const cursor = field(state, 'cursor')
  const anchor = readPosition(field(cursor, 'anchor'))
  const head = readPosition(field(cursor, 'head'))
  const color = readColor(field(user, 'color')) ?? colorOf(clientId)
  return {
    clientId,
    name: readName(field(user, 'name')),
    color,
    ink: inkOn(color),
    cursor: anchor && head && { anchor, head },
  }
}

function readName(value: unknown): string {
  const line =
    typeof value === 'string' ? value.slice(0, MAX_NAME_INPUT).replace(/\s+/g, ' ').replace(UNFIT, '').trim() : ''
  const name = [...line].slice(0, MAX_NAME_LENGTH).join('')
  return VISIBLE.test(name) ? name : 'Anonymous'
}

/** A relative position has an item, or stands at an end of a type that it names, or of one inside of an item. */
function readPosition(value: unknown): Y.RelativePosition | null {
  const [item, type, tname] = ['item', 'type', 'tname'].map((name) => field(value, name) ?? null)
  const isValid =
    isIdOrNull(item) && isIdOrNull(type) && typeof (tname ?? '') === 'string' && (item ?? type ?? tname) !== null
  const side = field(value, 'assoc')
  const assoc = typeof side === 'number' && side < 0 ? -1 : 0
  return isValid ? Y.createRelativePositionFromJSON({ item, type, tname, assoc }) : null
}

function isIdOrNull(value: unknown): boolean {
  return value === null || ['client', 'clock'].every((name) => isCount(field(value, name)))
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function field(value: unknown, name: string): unknown {
  return Reflect.get(Object(value), name)
}
