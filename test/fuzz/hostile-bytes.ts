import { bytes } from '../support/bytes.ts'
import type { Random } from '../support/random.ts'

/** Numbers at which readers of varUints go wrong: the ends of 7, 31, 32 and 53 bits, and what lies beyond. */
export const CRITICAL_NUMBERS: readonly number[] = [
  ...[0, 1, 2, 63, 64, 127, 128, 255, 256, 16_383, 16_384, 65_535],
  ...[2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 50, 2 ** 53 - 2, 2 ** 53 - 1],
]

const NEVER_ENDING = new Uint8Array(12).fill(0xff)
const MAX_REPEATS = 40

type Harm = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array

const HARMS: readonly Harm[] = [flipBits, overwrite, truncate, splice, repeat, remove, insertNumber, replaceNumber]

/** Harms bytes without knowing what they mean, in one to three ways. */
export function harmBytes(harmless: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  let harmed = harmless
  for (let ways = 1 + random.below(3); ways > 0; ways--) harmed = random.pick(HARMS)(harmed, random, others)
  return harmed
}

function flipBits(original: Uint8Array, random: Random): Uint8Array {
  const harmed = original.slice()
  if (harmed.length === 0) return harmed
  for (let flips = 1 + random.below(3); flips > 0; flips--) harmed[random.below(harmed.length)] ^= 1 << random.below(8)
  return harmed
}

function overwrite(original: Uint8Array, random: Random): Uint8Array {
  const harmed = original.slice()
  if (harmed.length > 0) harmed[random.below(harmed.length)] = random.below(256)
  return harmed
}

function truncate(original: Uint8Array, random: Random): Uint8Array {
  return original.subarray(0, random.below(original.length + 1))
}

/** The beginning of one and the end of another. */
function splice(original: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  const other = random.pick(others)
  return bytes(truncate(original, random), other.subarray(random.below(other.length + 1)))
}

function repeat(original: Uint8Array, random: Random): Uint8Array {
  const [start, end] = range(original, random)
  const repeated = Array.from({ length: 1 + random.below(MAX_REPEATS) }, () => original.subarray(start, end))
  return bytes(original.subarray(0, end), ...repeated, original.subarray(end))
}

function remove(original: Uint8Array, random: Random): Uint8Array {
  const [start, end] = range(original, random)
  return bytes(original.subarray(0, start), original.subarray(end))
}

function insertNumber(original: Uint8Array, random: Random): Uint8Array {
  const at = random.below(original.length + 1)
  return bytes(original.subarray(0, at), criticalBytes(random), original.subarray(at))
}

/** Puts another number where one may stand. */
function replaceNumber(original: Uint8Array, random: Random): Uint8Array {
  const start = random.below(original.length + 1)
  let end = start
  while (end < original.length && original[end] >= 0x80) end++
  return bytes(original.subarray(0, start), criticalBytes(random), original.subarray(end + 1))
}

function criticalBytes(random: Random): Uint8Array {
  return random.chance(0.05) ? NEVER_ENDING : bytes(random.pick(CRITICAL_NUMBERS))
}

function range({ length }: Uint8Array, random: Random): [start: number, end: number] {
  const start = random.below(length + 1)
  return [start, Math.min(length, start + 1 + random.below(16))]
}
