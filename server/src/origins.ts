/** Whether a text is empty, `*`, or origins such as `https://example.com` with commas between them. */
export function areOrigins(text: string): boolean {
  if (text === '' || text === '*') return true
  return originsIn(text).every((origin) => URL.canParse(origin) && new URL(origin).origin === origin)
}

/** The origins in a list. */
export function originsIn(list: string): readonly string[] {
  return list.split(',').map((origin) => origin.trim())
}
