import type { SourceDocument } from './source.ts'

/** What a query gives: a name, and what ought to be bytes. */
export interface Row {
  readonly name: unknown
  readonly data: unknown
}

/** Finds the update in the bytes of a row, or says why there is none. */
export type Decode = (data: Uint8Array) => Uint8Array | string

/** A query on a database, as this module asks it of each: rows of one name stand next to each other. */
export function ordered(query: string): string {
  const inner = query.trim().replace(/;$/, '')
  return `WITH source(name, data) AS (${inner}\n) SELECT CAST(name AS TEXT) AS name, data FROM source ORDER BY 1`
}

/** Gathers the rows of each document. */
export async function* documentsOf(
  rows: AsyncIterable<Row> | Iterable<Row>,
  decode: Decode,
): AsyncGenerator<SourceDocument, void, undefined> {
  let name: string | undefined
  let updates: Uint8Array[] = []
  let problems: string[] = []
  for await (const row of rows) {
    // A row without a name becomes a document that can have none.
    const next = typeof row.name === 'string' ? row.name : ''
    if (next !== name) {
      if (name !== undefined) yield { name, updates, problems }
      name = next
      updates = []
      problems = []
    }
    const found = updateIn(row.data, decode)
    if (typeof found === 'string') problems.push(found)
    else updates.push(found)
  }
  if (name !== undefined) yield { name, updates, problems }
}

function updateIn(data: unknown, decode: Decode): Uint8Array | string {
  if (data === null) return 'no update stored'
  if (!(data instanceof Uint8Array)) return `${typeof data} instead of bytes stored`
  // Never a Buffer, whose slices share memory.
  return decode(new Uint8Array(data.buffer, data.byteOffset, data.length))
}
