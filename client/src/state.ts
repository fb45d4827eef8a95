/** What can be said about a connection at one moment. Each change gives a new object. */
export type ConnectionState = Progress & (Granted | Denied)

export interface Progress {
  /**
   * - `connecting`: the first attempt is under way.
   * - `online`: the socket is open.
   * - `offline`: there is no socket. Edits are kept in memory; the next attempt follows by itself within 2.5 s,
   *   unless access is denied.
   */
  readonly connection: 'connecting' | 'online' | 'offline'
  /** Whether the server's content has arrived over the present socket. */
  readonly synced: boolean
  /**
   * Whether the server has durably stored all that this document holds. False while offline, because nobody can know,
   * and always on a server that does not acknowledge (any but coedit).
   */
  readonly saved: boolean
}

export interface Granted {
  readonly access: 'write'
}

/** The server refused for good: no further attempt is made. */
export interface Denied {
  readonly access: 'denied'
  /** The WebSocket close code, 4400 to 4499. */
  readonly code: number
  readonly reason: string
}

export const INITIAL_STATE: ConnectionState = { connection: 'connecting', synced: false, saved: false, access: 'write' }

export type StateListener = (state: ConnectionState) => void

/** One immutable state and those who watch it. */
export class StateStore {
  readonly #listeners = new Set<StateListener>()
  #current: ConnectionState = INITIAL_STATE

  get current(): ConnectionState {
    return this.#current
  }

  subscribe(listener: StateListener): () => void {
    // A function of its own for each call, so that a listener given twice is called twice and removed once.
    const entry: StateListener = (state) => listener(state)
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  set(next: ConnectionState): void {
    if (isEqual(this.#current, next)) return
    this.#current = next
    for (const listener of [...this.#listeners]) notify(listener, next)
  }

  clear(): void {
    this.#listeners.clear()
  }
}

function isEqual(a: ConnectionState, b: ConnectionState): boolean {
  return a.connection === b.connection && a.synced === b.synced && a.saved === b.saved && a.access === b.access
}

/** A listener that throws must not keep others, or the provider, from theirs: its error is reported as uncaught. */
function notify(listener: StateListener, state: ConnectionState): void {
  try {
    listener(state)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
