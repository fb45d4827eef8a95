import { crc32 } from 'node:zlib'
import { CoeditError } from '../../common/errors.ts'

/** Bytes as the database gives them, with the checksum that was computed when they were written. */
export interface CheckedRow {
  readonly checksum: number
  readonly data: Uint8Array
}

/** Several byte strings as one parameter of a statement, which is sent in binary, and where to part them. */
export interface PackedBytes {
  readonly sizes: readonly number[]
  readonly checksums: readonly number[]
  readonly content: Uint8Array
}

export function pack(parts: readonly Uint8Array[]): PackedBytes {
  return { sizes: parts.map(({ length }) => length), checksums: parts.map(checksumOf), content: Buffer.concat(parts) }
}

/** As the type `integer` of the database holds it. */
export function checksumOf(bytes: Uint8Array): number {
  return crc32(bytes) | 0
}

export function isIntact({ checksum, data }: CheckedRow): boolean {
  return checksum === checksumOf(data)
}

/**
 * The bytes of a row, in memory of their own.
 * @throws CoeditError STORAGE_DAMAGED
 */
export function intact(row: CheckedRow, document: string): Uint8Array {
  if (!isIntact(row)) throw damagedError(document, 'something stored of it does not match its checksum')
  return new Uint8Array(row.data)
}

export function damagedError(document: string, what: string): CoeditError {
  return new CoeditError('STORAGE_DAMAGED', `'${document}' cannot be read: ${what}`)
}
