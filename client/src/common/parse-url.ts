/** A URL, or undefined for what is none. `URL.canParse` is younger than the browsers that the README names. */
export function parseUrl(text: string, base?: string): URL | undefined {
  try {
    return new URL(text, base)
  } catch {
    return undefined
  }
}
