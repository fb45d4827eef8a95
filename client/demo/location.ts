const DEFAULT_DOCUMENT = 'welcome'
const DOCUMENT_PATH = 'd/'

/** The document that a page's address names: `d/NAME` below the root, percent-encoded as one segment, or the default. */
export function documentName(root: string, address: string): string {
  const path = new URL(address).pathname.slice(new URL(root).pathname.length)
  if (!path.startsWith(DOCUMENT_PATH) || path === DOCUMENT_PATH) return DEFAULT_DOCUMENT
  const segment = path.slice(DOCUMENT_PATH.length)
  try {
    return decodeURIComponent(segment)
  } catch {
    // "100%" typed by hand is no valid encoding; the server takes such a name as it stands.
    return segment
  }
}

/** Whether a page's address asks to read only: `?access=read`, as the server takes it. */
export function isReadOnly(address: string): boolean {
  return new URL(address).searchParams.get('access') === 'read'
}

export function readOnlyLink(address: string): string {
  const url = new URL(address)
  url.searchParams.set('access', 'read')
  return url.href
}
