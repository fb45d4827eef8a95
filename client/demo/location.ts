const DEFAULT_DOCUMENT = 'welcome'
const DOCUMENT_PATH = 'd/'
/** As `new` makes them: 128 random bits in base64url. */
const UNGUESSABLE = /^[\w-]{22}$/

/** What a page's address leads to: a document, or nowhere, and then perhaps a name that a document could have. */
export type Destination = { readonly document: string } | { readonly document: null; readonly candidate: string }

/** The document `d/NAME` below the root, percent-encoded as one segment, or at the root itself the default one. */
export function destination(root: string, address: string): Destination {
  const path = new URL(address).pathname.slice(new URL(root).pathname.length)
  if (path === '') return { document: DEFAULT_DOCUMENT }
  const segment = path.startsWith(DOCUMENT_PATH) ? path.slice(DOCUMENT_PATH.length) : ''
  if (segment !== '' && !segment.includes('/')) return { document: decode(segment) }
  return { document: null, candidate: decode(path.replace(/^d\/|^\/+|\/+$/g, '')) }
}

/** The address of a document, relative to the root. */
export function documentPath(name: string): string {
  return DOCUMENT_PATH + encodeURIComponent(name)
}

/** Whether nobody finds the document who was not given its link. */
export function isUnguessable(name: string): boolean {
  return UNGUESSABLE.test(name)
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

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    // "100%" typed by hand is no valid encoding; the server takes such a name as it stands.
    return segment
  }
}
