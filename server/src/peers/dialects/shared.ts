/**
 * Makes something of each object once, however many ask for it while the object is there.
 * @param make of what else it is given the result must not depend, unless that is the same for all who ask for this object
 */
export function shared<K extends object, A extends unknown[], V>(make: (key: K, ...others: A) => V): typeof make {
  const made = new WeakMap<K, { readonly value: V }>()
  return (key, ...others) => {
    const known = made.get(key)
    if (known) return known.value
    const value = make(key, ...others)
    made.set(key, { value })
    return value
  }
}

/** Frames that go out together, as one buffer. */
export function joined(frames: readonly Buffer[]): Buffer {
  return frames.length === 1 && frames[0] ? frames[0] : Buffer.concat(frames)
}
