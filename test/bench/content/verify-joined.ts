import { createHash } from 'node:crypto'
import type { Joined } from '../clients/join.ts'
import { documentFrom, expectText } from './text.ts'

/** Throws unless everybody has the text. What several got byte for byte alike is applied once. */
export function verifyJoined(joined: readonly Joined[], text: string): void {
  const verified = new Set<string>()
  for (const { updates } of joined) {
    const fingerprint = fingerprintOf(updates)
    if (verified.has(fingerprint)) continue
    expectText(documentFrom(updates), text, 'Somebody who joined')
    verified.add(fingerprint)
  }
}

function fingerprintOf(updates: readonly Uint8Array[]): string {
  const hash = createHash('sha1')
  for (const update of updates) hash.update(update)
  return hash.digest('base64')
}
