import type { Awareness } from 'y-protocols/awareness'
import { ClientError } from '../common/errors.ts'
import { raw } from '../common/raw.ts'
import type { Profile } from './connection.ts'
import { REFUSAL } from './messages.ts'
import type { ConnectionState, ErrorListener, StateListener, StateStore } from './state.ts'
import { until } from './until.ts'

/** What every connection says and promises of its state, whoever has the socket. */
export abstract class StatedConnection {
  abstract readonly awareness: Awareness
  readonly whenSynced: Promise<void>
  protected readonly store: StateStore
  protected readonly ended = new AbortController()

  constructor(store: StateStore) {
    raw(this)
    this.store = store
    this.whenSynced = until(store, this.ended.signal, (state) => state.synced)
    // Its rejection is for those who wait for it; an application that does not wait must not fail by it.
    this.whenSynced.catch(() => undefined)
  }

  get state(): ConnectionState {
    return this.store.current
  }

  subscribe(listener: StateListener): () => void {
    return this.store.subscribe(listener)
  }

  onError(listener: ErrorListener): () => void {
    return this.store.onError(listener)
  }

  flush(): Promise<void> {
    return until(this.store, this.ended.signal, ({ saved, access }) =>
      access === 'read' ? new ClientError('DENIED', 'this connection may only read') : saved,
    )
  }

  setUser({ name, color }: Profile): void {
    this.awareness.setLocalStateField('user', { name, color })
  }

  /** Begins anew after a denial. */
  protected regrant(access: 'read' | 'write'): void {
    if (this.store.current.access !== 'denied') return
    this.store.change({ error: null })
    this.store.grant(access)
  }

  /** Something was edited that is not on the server. */
  protected edited(): void {
    this.store.change({ unsaved: this.store.current.unsaved + 1, saved: false })
  }

  /** The server asks for edits, and so takes them. */
  protected writable(access: 'read' | 'write'): void {
    if (this.store.current.access === 'read') this.store.grant(access)
  }

  /** The server has refused something. */
  protected refused(kind: number): void {
    if (kind === REFUSAL.full) {
      this.store.block(new ClientError('FULL', 'the document is full: the server stores only deletions'))
    } else if (kind === REFUSAL.tooDeep) {
      this.store.report(new ClientError('TOO_DEEP', 'a value was nested too deep, and is deleted'))
    } else if (kind === REFUSAL.presence) {
      this.store.report(new ClientError('PRESENCE_REFUSED', 'the server does not show what is in the awareness state'))
    }
  }

  /** All that the document holds is durable on the server. */
  protected saved(): void {
    this.store.change({ saved: true, unsaved: 0, error: null })
  }
}
