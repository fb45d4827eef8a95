/**
 * Listens until `ended` is aborted, where there is something that can be listened to: in React Native `window` takes no
 * listeners. Without the option `signal`, which jsdom takes of its own realm only.
 */
export function listen(
  target: Partial<EventTarget> | undefined,
  types: string,
  listener: (event: Event) => void,
  ended: AbortSignal,
): void {
  for (const type of types.split(' ')) {
    target?.addEventListener?.(type, listener)
    ended.addEventListener('abort', () => target?.removeEventListener?.(type, listener))
  }
}
