/** Whether a text is empty, `*`, or origins such as `https://example.com` with commas between them. */
export function areOrigins(text: string): boolean {
  return text === '*' || originsIn(text).every((origin) => URL.canParse(origin) && new URL(origin).origin === origin)
}

/** The origins in a list that may be empty. */
export function originsIn(list: string): readonly string[] {
  return list === '' ? [] : list.split(',').map((origin) => origin.trim())
}
