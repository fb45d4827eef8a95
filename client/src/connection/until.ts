import { ClientError } from '../common/errors.ts'
import type { ConnectionState, StateStore } from './state.ts'

/**
 * Resolves when a state satisfies `reached`. Rejects when one cannot (then that gives the reason), when access is denied
 * and when `ended` is aborted.
 */
export function until(
  store: StateStore,
  ended: AbortSignal,
  reached: (state: ConnectionState) => boolean | ClientError,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => {
      const state = store.current
      const answer = reached(state)
      // Not the reason of the signal, which React Native does not keep.
      if (ended.aborted) reject(new ClientError('DESTROYED', 'the connection was destroyed'))
      else if (answer === true) resolve()
      else if (answer instanceof ClientError) reject(answer)
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
