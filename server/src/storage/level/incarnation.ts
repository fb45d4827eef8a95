import { randomInt } from 'node:crypto'

const MAX_INCARNATION = 2 ** 48 - 1

/** A number that, by chance, no earlier incarnation of any document had. */
export function randomIncarnation(): number {
  return randomInt(1, MAX_INCARNATION)
}
