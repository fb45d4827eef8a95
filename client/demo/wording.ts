import type { ClientErrorCode, ConnectionState, Denied } from '@coedit/client'

/** What the state chip says: a few words, and where they leave a question, a notice below the text. */
export interface Wording {
  readonly kind: Kind
  readonly words: string
  /** What is not needed to understand the words, beside them. */
  readonly detail?: string
  readonly notice?: string
}

export type Kind = 'saved' | 'working' | 'offline' | 'unsaved' | 'read' | 'denied'

/** Refusals that are more than a refusal. */
const DENIALS: Partial<Record<ClientErrorCode, Wording>> = {
  SIGNED_OUT: { kind: 'denied', words: 'Signed out', notice: 'Sign in again to go on.' },
  GONE: { kind: 'denied', words: 'Gone', notice: 'This document does not exist any more.' },
}

const TOO_LARGE =
  'An edit is larger than the server takes. Shorten the text, or download it: until then it is only here.'
const FULL = 'The document is full. Delete something, or download the text: what was added last is only here.'
const BLOCKED =
  'The server answers, but something on the way blocks WebSockets, and what takes their place as well: a proxy, a ' +
  'firewall or a browser extension. Until it lets them through, nothing passes between you and others.'

/** @param blocked whether the server answers other requests while no connection to it comes about */
export function describe(state: ConnectionState, blocked: boolean): Wording {
  const { access, connection, error } = state
  if (access === 'denied') return describeDenial(state)
  if (error?.code === 'TOO_LARGE') return { kind: 'unsaved', words: 'Not saved', notice: TOO_LARGE }
  if (error?.code === 'FULL') return { kind: 'unsaved', words: 'Not saved', notice: FULL }
  if (blocked) return { ...describeOffline(state), notice: BLOCKED }
  if (connection === 'connecting') return { kind: 'working', words: 'Connecting…' }
  if (connection === 'offline') return describeOffline(state)
  if (access === 'read' && state.synced)
    return { kind: 'read', words: 'Read-only', detail: `you follow along${describeTransport(state)}` }
  if (state.saved) return { kind: 'saved', words: 'Saved', detail: describeSaving(state) }
  return { kind: 'working', words: state.synced && state.unsaved > 0 ? 'Saving…' : 'Loading…' }
}

/** From a key of this editor to the server's word that it is on disk, as it was measured. */
function describeSaving(state: ConnectionState): string {
  const { saveTime } = state
  const time = saveTime === null ? '' : ` · ${saveTime < 1 ? '< 1' : saveTime.toLocaleString('en')} ms`
  return `on disk${time}${describeTransport(state)}`
}

/** Said where it is not as usual. */
function describeTransport({ transport }: ConnectionState): string {
  return transport === 'http' ? ' · HTTP' : ''
}

function describeDenial({ error, code, reason }: ConnectionState & Denied): Wording {
  const known = error === null ? undefined : DENIALS[error.code]
  return known ?? { kind: 'denied', words: 'No access', notice: `The server refused this document: ${reason || code}` }
}

function describeOffline({ unsaved, copy }: ConnectionState): Wording {
  if (unsaved === 0) return { kind: 'offline', words: 'Offline' }
  const edits = unsaved === 1 ? '1 edit' : `${unsaved} edits`
  if (copy === 'kept') return { kind: 'offline', words: `Offline, ${edits} kept here` }
  return { kind: 'unsaved', words: 'Not saved', notice: `Offline. ${edits} would be lost with this tab: keep it open.` }
}
