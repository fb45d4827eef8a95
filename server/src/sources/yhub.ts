import { CoeditError } from '../common/errors.ts'
import { ByteReader } from '../protocol/wire/reader.ts'

/*
 * A column of y/hub's table: an object in lib0's encoding of any value, of which only text and bytes occur.
 *
 * | value | bytes |
 * | --- | --- |
 * | object | `118`, a count, and for each field a varString and a value |
 * | text | `119`, a varString |
 * | bytes | `116`, a length and the bytes |
 *
 * It is `{ type: 'asset:ydoc:v1', update }`, or `{ type: 'asset:retrievable:v1', plugin }` where S3 has the update.
 */
const OBJECT = 118
const TEXT = 119
const BYTES = 116

/** The update in a column `gcDoc`, or why there is none. */
export function updateOfYhub(column: Uint8Array): Uint8Array | string {
  try {
    const fields = fieldsIn(new ByteReader(column, 0, 'SOURCE_UNREADABLE'))
    if (fields.get('type') === 'asset:retrievable:v1') return 'an update is in S3'
    return fields.get('update') ?? 'no update stored'
  } catch (error) {
    if (error instanceof CoeditError) return 'no asset of y/hub stored'
    throw error
  }
}

function fieldsIn(reader: ByteReader): Map<string, Uint8Array | string> {
  if (reader.byte() !== OBJECT) reader.fail('it is no object')
  const fields = new Map<string, Uint8Array | string>()
  for (let left = reader.count(2, 'fields'); left > 0; left--) {
    const name = reader.text()
    const type = reader.byte()
    if (type === TEXT) fields.set(name, reader.text())
    else if (type === BYTES) fields.set(name, reader.varBytes())
    else reader.fail(`a value of type ${type} is not expected`)
  }
  return fields
}
