import type { Cancel, Clock } from './clock.ts'
import type { ConnectionState, StateStore } from './state.ts'

/** Something is unsaved, and nothing has been received for this long: the server should have acknowledged it. */
const OVERDUE_MS = 4_000
/** How long a server may take to answer a probe. */
const ANSWER_MS = 3_000
/** An upload at 16 KB/s must not look like a dead line: what is not acknowledged stands before the probe. */
const UPLOAD_BYTES_PER_MS = 16

export interface LivenessContext {
  readonly store: StateStore
  readonly clock: Clock
  /** Sends something that the server answers. */
  readonly probe: () => void
  /** Gives the socket up. */
  readonly drop: () => void
}

/**
 * - `calm`: nothing is expected.
 * - `expecting`: an acknowledgement should come.
 * - `probing`: an answer must come.
 */
type Phase = { name: 'calm' } | { name: 'expecting' | 'probing'; cancel: Cancel }

/**
 * Notices a socket whose other end is gone without a word, which a browser does not for minutes. Only after the
 * document has arrived: on a slow line the messages that bring it are far apart.
 */
export class Liveness {
  readonly #context: LivenessContext
  #phase: Phase = { name: 'calm' }
  #unacknowledgedBytes = 0

  constructor(context: LivenessContext) {
    this.#context = context
  }

  start(): void {
    this.#context.store.subscribe((state) => this.#update(state))
  }

  sent(bytes: number): void {
    this.#unacknowledgedBytes += bytes
  }

  received(): void {
    this.#calm()
    this.#update(this.#context.store.current)
  }

  /** Finds out whether the socket still lives. */
  check(): void {
    const { store, clock, probe, drop } = this.#context
    if (!store.current.synced || this.#phase.name === 'probing') return
    this.#calm()
    const deadlineMs = ANSWER_MS + this.#unacknowledgedBytes / UPLOAD_BYTES_PER_MS
    this.#phase = { name: 'probing', cancel: clock.after(deadlineMs, drop) }
    probe()
  }

  #update({ synced, unsaved }: ConnectionState): void {
    if (unsaved === 0) this.#unacknowledgedBytes = 0
    const mayExpect = synced && unsaved > 0
    if (!synced || (!mayExpect && this.#phase.name === 'expecting')) this.#calm()
    if (!mayExpect || this.#phase.name !== 'calm') return
    this.#phase = { name: 'expecting', cancel: this.#context.clock.after(OVERDUE_MS, () => this.check()) }
  }

  #calm(): void {
    if (this.#phase.name !== 'calm') this.#phase.cancel()
    this.#phase = { name: 'calm' }
  }
}
