import * as Y from 'yjs'
import type { Cursor, Peer } from './peer.ts'
import type { ShownText } from './shown-text.ts'

/** Of more peers only those have a cursor here that moved last: to find each costs a walk through the text. */
const MAX_CURSORS = 100

/** A peer's cursor by offsets in the element's value. */
export interface ShownCursor {
  readonly peer: Peer
  /** The same object until the peer moves. */
  readonly cursor: Cursor
  readonly anchor: number
  readonly head: number
}

/** Finds the cursors of peers in the text that an element shows. */
export class ShownCursors {
  readonly #shown: ShownText
  /** By client id, those that moved last at the end. */
  readonly #recent = new Map<number, Cursor>()

  constructor(shown: ShownText) {
    this.#shown = shown
  }

  /** The cursors that are in the text, by client id. */
  find(peers: readonly Peer[]): ShownCursor[] {
    const byId = new Map(peers.map((peer) => [peer.clientId, peer]))
    for (const clientId of this.#recent.keys()) if (!byId.get(clientId)?.cursor) this.#recent.delete(clientId)
    for (const { clientId, cursor } of peers) {
      if (cursor === null || isSame(cursor, this.#recent.get(clientId))) continue
      this.#recent.delete(clientId)
      this.#recent.set(clientId, cursor)
    }
    const drawable = new Set([...this.#recent.keys()].slice(-MAX_CURSORS))
    return peers.filter(({ clientId }) => drawable.has(clientId)).flatMap((peer) => this.#locate(peer))
  }

  #locate(peer: Peer): ShownCursor[] {
    const cursor = this.#recent.get(peer.clientId)
    if (cursor === undefined) return []
    const anchor = this.#offsetOf(cursor.anchor)
    const head = this.#offsetOf(cursor.head)
    return anchor === null || head === null ? [] : [{ peer, cursor, anchor, head }]
  }

  /** Null for a position that is not in the text. */
  #offsetOf(position: Y.RelativePosition): number | null {
    const { text } = this.#shown
    const { doc } = text
    if (doc === null || text._item?.deleted) return null
    // Yjs would make a type of each name that a peer invents.
    if (position.tname !== null && !Object.is(doc.share.get(position.tname), text)) return null
    const absolute = Y.createAbsolutePositionFromRelativePosition(position, doc)
    if (absolute === null || !Object.is(absolute.type, text)) return null
    return this.#shown.toShown(absolute.index)
  }
}

function isSame(a: Cursor, b: Cursor | undefined): boolean {
  return b !== undefined && Y.compareRelativePositions(a.anchor, b.anchor) && Y.compareRelativePositions(a.head, b.head)
}
