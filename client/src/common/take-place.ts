/**
 * Makes this the only one of its kind on an element: ends the earlier one, which may be of another copy of this package,
 * and is ended by a later one. Returns what gives the place up.
 */
export function takePlace(element: object, kind: 'binding' | 'overlay', end: () => void): () => void {
  const key = Symbol.for(`@coedit/client ${kind}`)
  const earlier: unknown = Reflect.get(element, key)
  if (typeof earlier === 'function') earlier()
  Reflect.set(element, key, end)
  return () => {
    if (Reflect.get(element, key) === end) Reflect.deleteProperty(element, key)
  }
}
