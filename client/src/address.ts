import { ClientError } from './errors.ts'

const SOCKET_PROTOCOLS = new Map([
  ['ws:', 'ws:'],
  ['wss:', 'wss:'],
  ['http:', 'ws:'],
  ['https:', 'wss:'],
])

/**
 * The server's base address as a WebSocket address without a trailing slash: `https://host/base/` becomes
 * `wss://host/base`. Throws URL_INVALID for anything that is not an absolute ws, wss, http or https URL, and for one
 * with a query or a fragment, which the document's name could not follow.
 */
export function socketAddress(base: string): string {
  if (!URL.canParse(base)) throw new ClientError('URL_INVALID', `"${base}" is not an absolute URL`)
  const url = new URL(base)
  const protocol = SOCKET_PROTOCOLS.get(url.protocol)
  if (protocol === undefined) {
    throw new ClientError('URL_INVALID', `"${base}" must begin with ws:, wss:, http: or https:`)
  }
  if (url.search !== '' || url.hash !== '') {
    throw new ClientError('URL_INVALID', `"${base}" must not have a query or a fragment`)
  }
  return `${protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}`
}

/**
 * A document's name as one segment of a URL's path. Throws DOCUMENT_INVALID for names that cannot be one: the empty
 * name, `.` and `..` (URLs drop them, even when encoded) and text with half of a surrogate pair.
 */
export function pathSegment(document: string): string {
  if (document === '' || document === '.' || document === '..') {
    throw new ClientError('DOCUMENT_INVALID', `"${document}" cannot be the name of a document`)
  }
  try {
    return encodeURIComponent(document)
  } catch (cause) {
    throw new ClientError('DOCUMENT_INVALID', 'the name of a document must be well-formed Unicode', { cause })
  }
}
