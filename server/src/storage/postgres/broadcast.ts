/**
 * What the nodes of a database tell each other, on channels. It is for speed alone: whatever does not arrive is found by
 * asking the database.
 */
export interface Broadcast {
  /** Begins to listen. Connections that are lost are made anew. */
  start(hearing: Hearing): void
  stop(): Promise<void>
  /**
   * Sends payloads of at most 7,999 bytes to all nodes, this one too: in this order, and none of another message between
   * them. Rejects where that cannot be done at once.
   */
  send(channel: Channel, payloads: readonly string[]): Promise<void>
  /** Finds out whether the other end of the connection is still there; one that does not answer is given up. */
  probe(): void
}

export interface Hearing {
  onPayload(channel: Channel, payload: string): void
  /** It listens, for the first time or again: what was sent before was missed. */
  onListening(): void
  /** Nothing is heard until it listens again. */
  onDeaf(): void
}

/** Of what was appended; of messages of relays; that revocations were stored. */
export const CHANNELS = ['coedit', 'coedit_relay', 'coedit_revocations'] as const

export type Channel = (typeof CHANNELS)[number]

export function isChannel(name: string): name is Channel {
  return CHANNELS.some((channel) => channel === name)
}
