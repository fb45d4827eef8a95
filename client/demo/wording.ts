import type { ConnectionState } from '@coedit/client'

export interface Wording {
  readonly words: string
  readonly kind: 'saved' | 'working' | 'offline' | 'denied'
}

/** What the state line says. */
export function describe(state: ConnectionState): Wording {
  if (state.access === 'denied') return { words: `The server refused: ${state.reason || state.code}`, kind: 'denied' }
  if (state.connection === 'offline') return { words: 'Offline, edits are kept in this tab', kind: 'offline' }
  if (state.connection === 'connecting') return { words: 'Connecting…', kind: 'working' }
  if (!state.synced) return { words: 'Loading…', kind: 'working' }
  return state.saved ? { words: 'Saved', kind: 'saved' } : { words: 'Saving…', kind: 'working' }
}
