/** CRC-32C, which LevelDB uses and Node does not have: reflected polynomial (RFC 3720, B.4). */
const POLYNOMIAL = 0x82f63b78

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
  return crc
})

/** LevelDB stores a CRC rotated and with this added, lest one be taken of data that contain one. */
const MASK_DELTA = 0xa282ead8

/** The CRC of some bytes as LevelDB stores it. */
export function maskedCrc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8)
  return mask(~crc)
}

/** Where a part ends that begins at `from`, as a masked CRC behind it tells; undefined where no CRC fits. Linear. */
export function findChecksummedEnd(bytes: Buffer, from: number): number | undefined {
  let crc = 0xffff_ffff
  for (let at = from; at + 5 <= bytes.length; at++) {
    crc = TABLE[(crc ^ bytes[at]) & 0xff] ^ (crc >>> 8)
    if (mask(~crc) === bytes.readUInt32LE(at + 1)) return at + 1
  }
  return undefined
}

function mask(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0
}
