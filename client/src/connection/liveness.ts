import type { Cancel, Clock } from '../common/clock.ts'
import type { ConnectionState, StateStore } from './state.ts'

/** When something is unsaved and nothing has been received for this long, an acknowledgement is overdue. */
const OVERDUE_MS = 4_000
/** Servers break a silence after 20 s at the latest, and y-websocket's answer one's own presence every 15 s. */
const SILENCE_MS = 30_000
/** How long a server may take to answer a probe. */
const ANSWER_MS = 3_000
/** One more second for each of these: an upload, which stands before the probe, must not look like a dead line. */
const UPLOAD_BYTES = 16_000

export interface LivenessContext {
  readonly store: StateStore
  readonly clock: Clock
  /** Sends something that the server answers. */
  readonly probe: () => void
  /** Gives the socket up. */
  readonly drop: () => void
}

/**
 * - `idle`: there is no open socket.
 * - `listening`: something should come within `limitMs`.
 * - `probing`: an answer must come.
 */
type Phase =
  | { readonly name: 'idle' }
  | { readonly name: 'listening'; readonly limitMs: number; readonly cancel: Cancel }
  | { readonly name: 'probing'; readonly cancel: Cancel }

/** Notices a socket whose other end is gone without a word, which a browser does not for minutes. */
export class Liveness {
  readonly #context: LivenessContext
  #phase: Phase = { name: 'idle' }
  #unacknowledgedBytes = 0

  constructor(context: LivenessContext) {
    this.#context = context
  }

  start(): void {
    this.#context.store.subscribe((state) => this.#follow(state))
  }

  stop(): void {
    this.#enter({ name: 'idle' })
  }

  sent(bytes: number): void {
    this.#unacknowledgedBytes += bytes
  }

  received(): void {
    this.#enter({ name: 'idle' })
    this.#follow(this.#context.store.current)
  }

  /**
   * Finds out at once whether the socket still lives. It does nothing before the document has arrived: on a slow line
   * the messages that bring it are far apart.
   */
  check(): void {
    if (this.#context.store.current.synced && this.#phase.name !== 'probing') this.#probe()
  }

  #follow({ connection, synced, unsaved }: ConnectionState): void {
    if (unsaved === 0) this.#unacknowledgedBytes = 0
    if (connection !== 'online') {
      this.#enter({ name: 'idle' })
      return
    }
    const limitMs = synced && unsaved > 0 ? OVERDUE_MS : SILENCE_MS
    if (this.#phase.name === 'probing' || (this.#phase.name === 'listening' && this.#phase.limitMs === limitMs)) return
    this.#enter({ name: 'listening', limitMs, cancel: this.#context.clock.after(limitMs, () => this.#probe()) })
  }

  #probe(): void {
    const { clock, probe, drop } = this.#context
    const limitMs = ANSWER_MS + Math.floor(this.#unacknowledgedBytes / UPLOAD_BYTES) * 1_000
    this.#enter({ name: 'probing', cancel: clock.after(limitMs, drop) })
    probe()
  }

  #enter(phase: Phase): void {
    if (this.#phase.name !== 'idle') this.#phase.cancel()
    this.#phase = phase
  }
}
