import type { Awareness } from 'y-protocols/awareness'
import { Listeners } from '../common/listeners.ts'
import { raw } from '../common/raw.ts'
import { type Peer, readPeer } from './peer.ts'

/** Who else is here. */
export interface Presence {
  /** Everybody but this editor, by client id. A new array for each change; who has not changed is the same object. */
  readonly peers: readonly Peer[]
  /** This editor, as others see it now. */
  readonly self: Peer
  /** Calls `listener` after each change of `peers`. Returns what ends that. */
  subscribe(listener: (peers: readonly Peer[]) => void): () => void
  /** Ends the watching: no listener is left, and `peers` stays as it is. */
  destroy(): void
}

/** Watches an awareness, whose states are not to be trusted: what is malformed in them is left out, see `Peer`. */
export function watchPresence(awareness: Awareness): Presence {
  const watch = new PresenceWatch(awareness)
  watch.start()
  return watch
}

/** What y-protocols says of a change: client ids. */
interface Change {
  readonly added: readonly number[]
  readonly updated: readonly number[]
  readonly removed: readonly number[]
}

class PresenceWatch implements Presence {
  readonly #awareness: Awareness
  readonly #listeners = new Listeners<readonly Peer[]>()
  readonly #byId = new Map<number, Peer>()
  #peers: readonly Peer[] = []

  constructor(awareness: Awareness) {
    raw(this)
    this.#awareness = awareness
  }

  get peers(): readonly Peer[] {
    return this.#peers
  }

  get self(): Peer {
    return readPeer(this.#awareness.clientID, this.#awareness.getLocalState())
  }

  start(): void {
    this.#awareness.on('change', this.#onChange)
    this.#read([...this.#awareness.getStates().keys()])
  }

  subscribe(listener: (peers: readonly Peer[]) => void): () => void {
    return this.#listeners.add(listener)
  }

  destroy(): void {
    this.#awareness.off('change', this.#onChange)
    this.#listeners.clear()
  }

  readonly #onChange = ({ added, updated, removed }: Change): void => {
    if (this.#read([...added, ...updated, ...removed])) this.#listeners.notify(this.#peers)
  }

  /** Reads what these clients say now. Returns whether one of them is a peer. */
  #read(clientIds: readonly number[]): boolean {
    const others = clientIds.filter((clientId) => clientId !== this.#awareness.clientID)
    if (others.length === 0) return false
    const states = this.#awareness.getStates()
    for (const clientId of others) {
      if (states.has(clientId)) this.#byId.set(clientId, readPeer(clientId, states.get(clientId)))
      else this.#byId.delete(clientId)
    }
    this.#peers = [...this.#byId.values()].sort((a, b) => a.clientId - b.clientId)
    return true
  }
}
