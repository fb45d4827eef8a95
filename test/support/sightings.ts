import type { StockClient } from './stock-clients.ts'

/** Far above what is expected, so that what is late gets measured. */
const LIMIT_MS = 40_000

/** What a client shows of others while it watches. */
export interface Sightings {
  /** How often somebody who was there was not any more. */
  readonly departures: number
  /** Resolves with the time at which it shows the other with this cursor, now or later. */
  of(other: StockClient, cursor: number): Promise<number>
  /** Resolves with the time at which it does not show the other. */
  end(other: StockClient): Promise<number>
}

/** Watches the awareness of a stock client. Times are those of `performance.now()`. */
export function watchSightings({ provider: { awareness } }: StockClient): Sightings {
  let departures = 0
  awareness.on('change', ({ removed }: { removed: readonly number[] }) => {
    departures += removed.filter((id) => id !== awareness.clientID).length
  })
  return {
    get departures() {
      return departures
    },
    of: (other, cursor) => until(`${other.doc.clientID} is at ${cursor}`, () => stateOf(other)?.cursor === cursor),
    end: (other) => until(`${other.doc.clientID} is gone`, () => stateOf(other) === undefined),
  }

  function stateOf({ doc }: StockClient) {
    return awareness.getStates().get(doc.clientID)
  }

  function until(what: string, isReached: () => boolean): Promise<number> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!isReached()) return
        clearTimeout(limit)
        awareness.off('update', look)
        resolve(performance.now())
      }
      const limit = setTimeout(() => {
        awareness.off('update', look)
        reject(new Error(`waited ${LIMIT_MS / 1000} s in vain until ${what}`))
      }, LIMIT_MS)
      awareness.on('update', look)
      look()
    })
  }
}

/** Puts a client's cursor somewhere. */
export function moveCursor({ provider }: StockClient, cursor: number): void {
  provider.awareness.setLocalStateField('cursor', cursor)
}
