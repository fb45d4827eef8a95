/**
 * Has the reactivity of Vue and Alpine leave an object as it is, wherever an application puts it: behind their proxies
 * private fields cannot be read, and Yjs would meet its types as objects that are not the same. Gives the object.
 */
export function raw<T extends object>(object: T): T {
  // What Vue's own `markRaw` does. MobX, Svelte and Solid leave instances of classes alone.
  return Object.defineProperty(object, '__v_skip', { value: true })
}
