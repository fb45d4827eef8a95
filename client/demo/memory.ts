/** How long something is remembered: by this tab (a reload keeps it), or by this browser. */
export type Span = 'tab' | 'browser'

const KEY_PREFIX = 'coedit.demo.'

/** What was remembered as `key`, or null: then, too, where the browser keeps nothing for this page. */
export function recall(span: Span, key: string): string | null {
  return withStorage(span, (storage) => storage.getItem(KEY_PREFIX + key)) ?? null
}

/** Remembers `value`; null forgets. */
export function remember(span: Span, key: string, value: string | null): void {
  withStorage(span, (storage) => {
    if (value === null) storage.removeItem(KEY_PREFIX + key)
    else storage.setItem(KEY_PREFIX + key, value)
  })
}

/** A browser that blocks a page's data throws on each access, and so does a full one. The page works without memory. */
function withStorage<T>(span: Span, use: (storage: Storage) => T): T | undefined {
  try {
    return use(span === 'tab' ? sessionStorage : localStorage)
  } catch {
    return undefined
  }
}
