import type { Joined } from '../clients/joiners.ts'
import { documentFrom, expectText } from './text.ts'

/** Throws unless everybody has the text. What several got alike, and so share, is applied once. */
export function verifyJoined(joined: readonly Joined[], text: string): void {
  const verified: (readonly Uint8Array[])[] = []
  for (const { updates } of joined) {
    if (verified.some((other) => isSame(other, updates))) continue
    expectText(documentFrom(updates), text, 'Somebody who joined')
    verified.push(updates)
  }
}

function isSame(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((update, index) => update === b[index])
}
