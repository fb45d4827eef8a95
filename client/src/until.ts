import type { ConnectionState, StateStore } from './state.ts'

/** Resolves when a state satisfies `reached`; rejects when access is denied and when `ended` is aborted. */
export function until(
  store: StateStore,
  ended: AbortSignal,
  reached: (state: ConnectionState) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => {
      const state = store.current
      if (ended.aborted) reject(ended.reason)
      else if (reached(state)) resolve()
      else if (state.access === 'denied') reject(state.error)
      else return
      unsubscribe()
      ended.removeEventListener('abort', check)
    }
    const unsubscribe = store.subscribe(check)
    ended.addEventListener('abort', check)
    check()
  })
}
