import { findChecksummedEnd, maskedCrc32c } from './crc32c.ts'
import { readVarint, type Salvaged, type StoredWrite, slice } from './record.ts'
import { unsnap } from './snappy.ts'

/*
 * A table of LevelDB (its doc/table_format.md): blocks, the last of which is an index of the others, and a footer that
 * leads to the index. A block is rows of `shared` `added` `length` key value, where a key repeats the first `shared`
 * bytes of the one before it, then offsets, then their number; behind it a byte of compression and a checksum. The key
 * ends with a byte of kind and seven of sequence.
 */
const FOOTER_BYTES = 48
const COMPRESSION_BYTES = 1
const CHECKSUM_BYTES = 4
const UNCOMPRESSED = 0
const SNAPPY = 1
const KEY_TAIL_BYTES = 8
const REMOVAL = 0

interface Row {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

interface Block {
  readonly from: number
  readonly bytes: number
}

/** Reads all of a table that can be read, whatever its bytes. */
export function salvageTable(table: Buffer): Salvaged {
  const blocks = indexedBlocks(table)
  if (!blocks) return { writes: [], doubtful: rowsOfAll(scannedBlocks(table), table).flatMap(toWrite), isIntact: false }
  const isRight = (block: Block) => hasChecksum(table, block)
  const damaged = blocks.filter((block) => !isRight(block))
  const writes = rowsOfAll(blocks.filter(isRight), table).flatMap(toWrite)
  return { writes, doubtful: rowsOfAll(damaged, table).flatMap(toWrite), isIntact: damaged.length === 0 }
}

/** The blocks that the index names; undefined where it is damaged. */
function indexedBlocks(table: Buffer): Block[] | undefined {
  try {
    const footer = slice(table, Math.max(0, table.length - FOOTER_BYTES), FOOTER_BYTES)
    const metaIndex = readBlock(footer, 0)
    const index = readBlock(footer, metaIndex.next)
    if (!hasChecksum(table, index.block)) return undefined
    return rowsOf(contentOf(table, index.block)).map(({ value }) => readBlock(value, 0).block)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function readBlock(bytes: Uint8Array, at: number): { block: Block; next: number } {
  const from = readVarint(bytes, at)
  const length = readVarint(bytes, from.next)
  return { block: { from: from.value, bytes: length.value }, next: length.next }
}

function hasChecksum(table: Buffer, { from, bytes }: Block): boolean {
  const end = from + bytes + COMPRESSION_BYTES
  return end + CHECKSUM_BYTES <= table.length && maskedCrc32c(table.subarray(from, end)) === table.readUInt32LE(end)
}

/** Without an index: blocks follow each other, and each ends where a checksum fits. Up to one that is damaged. */
function scannedBlocks(table: Buffer): Block[] {
  const blocks: Block[] = []
  let from = 0
  for (let end = findChecksummedEnd(table, from); end !== undefined; end = findChecksummedEnd(table, from)) {
    blocks.push({ from, bytes: end - COMPRESSION_BYTES - from })
    from = end + CHECKSUM_BYTES
  }
  return blocks
}

function rowsOfAll(blocks: readonly Block[], table: Buffer): Row[] {
  return blocks.flatMap((block) => rowsOf(contentOf(table, block)))
}

/** Nothing where it cannot be read. */
function contentOf(table: Buffer, { from, bytes }: Block): Uint8Array {
  const content = table.subarray(from, from + bytes)
  if (table[from + bytes] === UNCOMPRESSED) return content
  try {
    return table[from + bytes] === SNAPPY ? unsnap(content) : new Uint8Array()
  } catch (error) {
    if (error instanceof RangeError) return new Uint8Array()
    throw error
  }
}

/** The rows of a block, up to one that cannot be one. */
function rowsOf(block: Uint8Array): Row[] {
  const rows: Row[] = []
  try {
    const count = Buffer.from(slice(block, block.length - 4, 4)).readUInt32LE()
    const end = block.length - 4 * (count + 1)
    let key: Uint8Array = new Uint8Array()
    for (let at = 0; at < end; ) {
      const shared = readVarint(block, at)
      const added = readVarint(block, shared.next)
      const length = readVarint(block, added.next)
      key = Buffer.concat([slice(key, 0, shared.value), slice(block, length.next, added.value)])
      const valueAt = length.next + added.value
      rows.push({ key, value: slice(block, valueAt, length.value) })
      at = valueAt + length.value
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  return rows
}

function toWrite({ key, value }: Row): StoredWrite[] {
  const length = key.length - KEY_TAIL_BYTES
  if (length < 0) return []
  const tail = Buffer.from(key.buffer, key.byteOffset + length, KEY_TAIL_BYTES)
  const sequence = tail.readUIntLE(1, 6) // the seventh byte would take 2^48 writes
  return [{ key: key.subarray(0, length), value: tail[0] === REMOVAL ? undefined : value, sequence }]
}
