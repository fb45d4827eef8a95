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
