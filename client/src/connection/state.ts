import type { ClientError } from '../common/errors.ts'
import { Listeners } from '../common/listeners.ts'

/** What can be said about a connection at one moment. Each change gives a new object. */
export type ConnectionState = Progress & (Granted | Denied)

export interface Progress {
  /**
   * - `connecting`: the first attempt is under way.
   * - `online`: the socket is open.
   * - `offline`: there is no socket. Edits are kept in memory; the next attempt follows by itself within 2.5 s (30 s
   *   when the server refused a message as too large), unless it was paused or access is denied.
   */
  readonly connection: 'connecting' | 'online' | 'offline'
  /** By what the present connection goes, or the last one went: `http` where WebSockets are blocked on the way. */
  readonly transport: 'websocket' | 'http'
  /** The name of the server that the socket leads to, of several; null where there is no socket, or it has none. */
  readonly node: string | null
  /**
   * When the next attempt follows, in milliseconds of the epoch; null where none is waited for: while there is a socket
   * or one is being opened, while paused, and after a denial.
   */
  readonly retryAt: number | null
  /** Whether the server's content has arrived over the present socket. */
  readonly synced: boolean
  /**
   * Whether the server has durably stored all that this document holds. False while offline, because nobody can know,
   * and always with access `read` and on a server that does not acknowledge (any but coedit).
   */
  readonly saved: boolean
  /**
   * How many changes the document got in this page since all of it was last known to be stored: edits, and what the
   * offline copy or another tab brought in. 0 when `saved`.
   */
  readonly unsaved: number
  /**
   * How long it took to store an edit, in whole milliseconds: from the edit to the server's word that it is durable.
   * It is of the newest edit that was timed, and null until one was: an edit that waits for a connection is not, and
   * none on a server that does not acknowledge.
   */
  readonly saveTime: number | null
  /**
   * The offline copy in this browser.
   * - `off`: there is none, or it was cleared.
   * - `opening`: what it holds is not part of the document yet.
   * - `kept`: it has all that the document holds, each change within milliseconds, and outlives the page.
   * - `failed`: the browser could not open it or not write to it.
   */
  readonly copy: 'off' | 'opening' | 'kept' | 'failed'
  /**
   * What keeps edits from being stored now: DENIED, SIGNED_OUT, GONE, TOO_LARGE, FULL, UNREACHABLE or TOKEN_FAILED;
   * null while nothing is known to.
   */
  readonly error: ClientError | null
}

export interface Granted {
  /** `read` when asked for, or when the server refused an edit. */
  readonly access: 'write' | 'read'
}

/** The server refused for good: no further attempt is made until `resume()`. */
export interface Denied {
  readonly access: 'denied'
  /** The WebSocket close code, 4400 to 4499. */
  readonly code: number
  readonly reason: string
}

const INITIAL_PROGRESS: Progress = {
  connection: 'connecting',
  transport: 'websocket',
  node: null,
  retryAt: null,
  synced: false,
  saved: false,
  unsaved: 0,
  saveTime: null,
  copy: 'off',
  error: null,
}

/** The state of a connection that may write, before it is made. */
export const INITIAL_STATE: ConnectionState = { ...INITIAL_PROGRESS, access: 'write' }

export type StateListener = (state: ConnectionState) => void
export type ErrorListener = (error: ClientError) => void

/** One immutable state, and those who watch it. */
export class StateStore {
  readonly #stateListeners = new Listeners<ConnectionState>()
  readonly #errorListeners = new Listeners<ClientError>()
  #progress = INITIAL_PROGRESS
  #access: Granted | Denied
  #current: ConnectionState

  constructor(access: Granted['access'] = 'write') {
    this.#access = { access }
    this.#current = { ...this.#progress, ...this.#access }
  }

  get current(): ConnectionState {
    return this.#current
  }

  subscribe(listener: StateListener): () => void {
    // A listener may change the state: those after it get the newest one, not the one that they were called for.
    return this.#stateListeners.add(() => listener(this.#current))
  }

  onError(listener: ErrorListener): () => void {
    return this.#errorListeners.add(listener)
  }

  change(progress: Partial<Progress>): void {
    this.#set({ ...this.#progress, ...progress }, this.#access)
  }

  opened(transport: Progress['transport'] = 'websocket'): void {
    const { error } = this.#progress
    // An open socket says nothing of these two: they are over when the edits are stored.
    const mayPersist = error?.code === 'TOO_LARGE' || error?.code === 'FULL'
    this.change({ connection: 'online', transport, error: mayPersist ? error : null })
  }

  grant(access: Granted['access']): void {
    this.#set(this.#progress, { access })
  }

  deny(code: number, reason: string, error: ClientError): void {
    this.#set({ ...this.#progress, error }, { access: 'denied', code, reason })
    this.report(error)
  }

  /** States what keeps edits from being stored. What is stated already is not reported again. */
  block(error: ClientError): void {
    if (this.#progress.error?.code === error.code) return
    this.change({ error })
    this.report(error)
  }

  report(error: ClientError): void {
    this.#errorListeners.notify(error)
  }

  clear(): void {
    this.#stateListeners.clear()
    this.#errorListeners.clear()
  }

  #set(progress: Progress, access: Granted | Denied): void {
    const next = { ...progress, ...access }
    if (isEqual(this.#current, next)) return
    this.#progress = progress
    this.#access = access
    this.#current = next
    this.#stateListeners.notify(next)
  }
}

function isEqual(before: ConnectionState, after: ConnectionState): boolean {
  const values = Object.values(before)
  // The fields come in one order; those of a denial are last.
  return Object.values(after).length === values.length && Object.values(after).every((value, i) => value === values[i])
}
