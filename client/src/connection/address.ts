import { ClientError } from '../common/errors.ts'
import { parseUrl } from '../common/parse-url.ts'

/**
 * The server's base address as a WebSocket address without a trailing slash: `https://host/base/` becomes
 * `wss://host/base`. Throws URL_INVALID for anything that is not an absolute ws, wss, http or https URL, and for one
 * with a query or a fragment, which the document's name could not follow.
 */
export function socketAddress(base: string): string {
  const url = parseUrl(base)
  const protocol = url?.protocol.replace('http', 'ws')
  if (!url || (protocol !== 'ws:' && protocol !== 'wss:') || url.search !== '' || url.hash !== '') {
    throw new ClientError('URL_INVALID', `"${base}" is no ws, wss, http or https URL without query and fragment`)
  }
  return `${protocol}//${url.host}${url.pathname.replace(/\/+$/, '')}`
}

/**
 * A document's name as one segment of a URL's path. Throws DOCUMENT_INVALID for names that cannot be one: the empty
 * name, `.` and `..` (URLs drop them, even when encoded), text with half of a surrogate pair, and what is no text. All
 * who leave out the name would else share a document that is called "undefined".
 */
export function pathSegment(document: string | undefined): string {
  if (typeof document !== 'string') throw new ClientError('DOCUMENT_INVALID', `no name of a document, but ${document}`)
  if (document === '' || document === '.' || document === '..') throw invalidName(document)
  try {
    return encodeURIComponent(document)
  } catch {
    throw invalidName(document)
  }
}

/**
 * A document's name as a part of a URL's path: with plain slashes, as y-websocket sends them, since some proxies refuse
 * `%2F`; but encoded where proxies and URLs would take something out of it. Throws as `pathSegment` does.
 */
export function documentPath(document: string): string {
  const encoded = pathSegment(document)
  const isKept = document.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
  return isKept ? encoded.replaceAll('%2F', '/') : encoded
}

function invalidName(document: string): ClientError {
  return new ClientError('DOCUMENT_INVALID', `"${document}" cannot be the name of a document`)
}
