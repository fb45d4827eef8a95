import * as Y from 'yjs'
import type { ShownText } from '../binding/shown-text.ts'
import type { Peer } from './peer.ts'

/** Of more peers only those have a cursor here that moved last: to find each costs a walk through the text. */
const MAX_CURSORS = 100

/** A peer's cursor by offsets in the element's value. */
export interface ShownCursor {
  readonly peer: Peer
  /** When it was first found where it is, as `performance.now()` tells. */
  readonly movedAt: number
  readonly anchor: number
  readonly head: number
}

interface Move {
  readonly peer: Peer
  readonly cursor: string
  readonly movedAt: number
}

/** Finds the cursors of peers in the text that an element shows. */
export class ShownCursors {
  readonly #shown: ShownText
  #moves: ReadonlyMap<number, Move> = new Map()

  constructor(shown: ShownText) {
    this.#shown = shown
  }

  /** @param touched the client id of one that counts as moved now */
  find(peers: readonly Peer[], touched?: number): ShownCursor[] {
    // One time for all: those that moved together keep their order, and none loses its place to the next tick.
    const now = performance.now()
    const moved = peers.map((peer) => this.#moveOf(peer, now, touched))
    this.#moves = new Map(moved.map((move) => [move.peer.clientId, move]))
    moved.sort((a, b) => b.movedAt - a.movedAt)
    return moved.slice(0, MAX_CURSORS).flatMap(({ peer, movedAt }) => {
      const anchor = this.#offsetOf(peer.cursor?.anchor)
      const head = this.#offsetOf(peer.cursor?.head)
      return anchor === null || head === null ? [] : [{ peer, movedAt, anchor, head }]
    })
  }

  #moveOf(peer: Peer, now: number, touched: number | undefined): Move {
    const cursor = JSON.stringify(peer.cursor)
    const last = this.#moves.get(peer.clientId)
    return { peer, cursor, movedAt: last?.cursor === cursor && peer.clientId !== touched ? last.movedAt : now }
  }

  /** Null for a position that is not in the text. */
  #offsetOf(position: Y.RelativePosition | undefined): number | null {
    const { text } = this.#shown
    const { doc } = text
    if (!position || doc === null || text._item?.deleted) return null
    // Yjs would make a type of each name that a peer invents.
    if (position.tname !== null && !Object.is(doc.share.get(position.tname), text)) return null
    const absolute = Y.createAbsolutePositionFromRelativePosition(position, doc)
    return absolute && Object.is(absolute.type, text) ? this.#shown.toShown(absolute.index) : null
  }
}
