import type { ConnectionState, StateStore } from './state.ts'

/**
 * Has the browser ask before the page is left while changes are neither stored nor kept. The listener is there only
 * then: it keeps pages out of the back/forward cache of some browsers.
 */
export function guardUnload(store: StateStore, ended: AbortSignal): void {
  const page: Partial<EventTarget> = globalThis
  const ask = (event: Event) => event.preventDefault()
  const update = ({ unsaved, copy }: ConnectionState) => {
    if (unsaved > 0 && copy !== 'kept') page.addEventListener?.('beforeunload', ask)
    else page.removeEventListener?.('beforeunload', ask)
  }
  store.subscribe(update)
  ended.addEventListener('abort', () => page.removeEventListener?.('beforeunload', ask))
}
