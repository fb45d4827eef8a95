import { maskedCrc32c } from './crc32c.ts'
import { readLengthPrefixed, type Salvaged, type StoredWrite, slice } from './record.ts'

/*
 * A log of LevelDB (its doc/log_format.md): blocks of 32 KiB, in which fragments follow each other: a checksum, a length
 * and a type. The fragments of a record, put together, are a batch of writes: a sequence, a count, and for each write a
 * kind, a key and, unless it is a removal, a value.
 */
const BLOCK_BYTES = 32 * 1024
const CHECKSUM_BYTES = 4
const HEADER_BYTES = 7
const WHOLE = 1
const FIRST = 2
const LAST = 4
const BATCH_HEADER_BYTES = 12
const REMOVAL = 0

interface Fragment {
  readonly type: number
  readonly bytes: Uint8Array
}

/** Reads all of a log that can be read, whatever its bytes. What is cut short at its end was never acknowledged. */
export function salvageLog(log: Buffer): Salvaged {
  const writes: StoredWrite[] = []
  let parts: Uint8Array[] = []
  let isIntact = true
  for (const fragment of fragmentsOf(log)) {
    if (fragment === 'damaged') {
      parts = []
      isIntact = false
      continue
    }
    if (fragment.type === WHOLE || fragment.type === FIRST) parts = []
    else if (parts.length === 0) continue // of a record whose beginning is lost
    parts.push(fragment.bytes)
    if (fragment.type === WHOLE || fragment.type === LAST) {
      writes.push(...writesOf(Buffer.concat(parts)))
      parts = []
    }
  }
  return { writes, doubtful: [], isIntact }
}

/** The fragments of each block; what follows a damaged one cannot be told apart, up to the next block. */
function* fragmentsOf(log: Buffer): Generator<Fragment | 'damaged', void, undefined> {
  for (let start = 0; start < log.length; start += BLOCK_BYTES) {
    const block = log.subarray(start, start + BLOCK_BYTES)
    for (let at = 0; at + HEADER_BYTES <= block.length; ) {
      const end = at + HEADER_BYTES + block.readUInt16LE(at + CHECKSUM_BYTES)
      const isCutShort = end > block.length && start + BLOCK_BYTES >= log.length
      if (isCutShort) return
      if (end > block.length || maskedCrc32c(block.subarray(at + 6, end)) !== block.readUInt32LE(at)) {
        yield 'damaged'
        break
      }
      yield { type: block[at + 6], bytes: block.subarray(at + HEADER_BYTES, end) }
      at = end
    }
  }
}

function writesOf(batch: Buffer): StoredWrite[] {
  const writes: StoredWrite[] = []
  try {
    const first = Buffer.from(slice(batch, 0, BATCH_HEADER_BYTES)).readUIntLE(0, 6)
    for (let at = BATCH_HEADER_BYTES; at < batch.length; ) {
      const sequence = first + writes.length
      const key = readLengthPrefixed(batch, at + 1)
      if (batch[at] === REMOVAL) {
        writes.push({ key: key.value, value: undefined, sequence })
        at = key.next
      } else {
        const value = readLengthPrefixed(batch, key.next)
        writes.push({ key: key.value, value: value.value, sequence })
        at = value.next
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  return writes
}
