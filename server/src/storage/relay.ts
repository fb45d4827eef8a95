import type { Unfollow } from './document-store.ts'

/**
 * Carries messages to all servers that share an engine and listen now, the sender among them. Nothing is kept, and any
 * message may be lost: whoever needs to know numbers them. All listeners hear what comes through in one order.
 */
export interface Relay {
  /** Sends a message of any size. Resolves when it is on its way or given up; never rejects. */
  publish(message: Uint8Array): Promise<void>
  /** Reports what is sent from now on, but never within this call. Nothing is reported after the returned call. */
  subscribe(listener: RelayListener): Unfollow
}

/** None of these may throw. */
export interface RelayListener {
  onMessage(message: Uint8Array): void
  /** It listens, for the first time or again: what was sent before was missed. */
  onConnected(): void
  /** Nothing is heard until it listens again. */
  onDisconnected(): void
}
