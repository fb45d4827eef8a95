import type { ConnectionState, StateStore } from './state.ts'

/**
 * Has the browser ask before the page is left while changes are neither stored nor kept. The listener is there only
 * then: it keeps pages out of the back/forward cache of some browsers.
 */
export function guardUnload(store: StateStore, ended: AbortSignal): void {
  if (typeof window === 'undefined') return
  const ask = (event: Event) => event.preventDefault()
  const update = ({ unsaved, copy }: ConnectionState) => {
    if (unsaved > 0 && copy !== 'kept') window.addEventListener('beforeunload', ask)
    else window.removeEventListener('beforeunload', ask)
  }
  store.subscribe(update)
  ended.addEventListener('abort', () => window.removeEventListener('beforeunload', ask))
}
