/** Whether a text is empty, `*`, or origins such as `https://example.com` with commas between them. */
export function areOrigins(text: string): boolean {
  return text === '*' || originsIn(text).every(isOrigin)
}

/** The origins in a list that may be empty. */
export function originsIn(list: string): readonly string[] {
  return list === '' ? [] : list.split(',').map((origin) => origin.trim())
}

/** Whether a text is empty or the origin of web pages, such as `https://example.com`. */
export function isWebOriginOrEmpty(text: string): boolean {
  return text === '' || (isOrigin(text) && /^https?:/.test(text))
}

/** The host names of those origins in a list that are of web pages. */
export function webHostsIn(list: string): readonly string[] {
  return originsIn(list).flatMap((origin) => (/^https?:/.test(origin) ? [new URL(origin).hostname] : []))
}

/**
 * Whether browsers name an origin so. Pages of apps and extensions have a scheme of their own, such as
 * `capacitor://localhost`, which has no origin by the URL standard; `null` are files, sandboxed frames and others.
 */
function isOrigin(text: string): boolean {
  if (text === 'null' || text === 'file://') return true
  if (!URL.canParse(text)) return false
  const { protocol, host, origin } = new URL(text)
  return host !== '' && text === (origin === 'null' ? `${protocol}//${host}` : origin)
}
