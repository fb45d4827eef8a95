const INVALID = 0

/**
 * The length in UTF-16 units, which is how Yjs counts, of the UTF-8 text in `bytes` from `start` to `end`; -1 where
 * a fatal TextDecoder throws.
 */
export function utf16Length(bytes: Uint8Array, start: number, end: number): number {
  let units = 0
  let at = start
  while (at < end) {
    if (bytes[at] < 0x80) {
      at++
      units++
      continue
    }
    const size = sequenceSize(bytes, at, end)
    if (size === INVALID) return -1
    at += size
    units += size === 4 ? 2 : 1
  }
  return units
}

/** Bytes of the character that starts with `lead`, in valid UTF-8. */
export function characterSize(lead: number): number {
  if (lead < 0x80) return 1
  if (lead < 0xe0) return 2
  return lead < 0xf0 ? 3 : 4
}

/** Bytes of the multi-byte character at `at`, by table 3-7 of the Unicode standard (no surrogates, nothing overlong). */
function sequenceSize(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at]
  if (lead < 0xc2 || lead > 0xf4) return INVALID
  const size = characterSize(lead)
  if (at + size > end) return INVALID
  const second = bytes[at + 1]
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  if (second < lowest || second > highest) return INVALID
  for (let i = at + 2; i < at + size; i++) {
    if ((bytes[i] & 0xc0) !== 0x80) return INVALID
  }
  return size
}
