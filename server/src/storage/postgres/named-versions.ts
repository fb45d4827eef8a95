import type { NamedVersion, NamingOutcome, NewNamedVersion } from '../history-store.ts'
import { deflate, inflateAll } from '../segments.ts'
import { type CheckedRow, checksumOf, isIntact } from './checked.ts'
import type { Link } from './link.ts'

export async function nameVersion(link: Link, document: string, version: NewNamedVersion) {
  const { name, incarnation, seq, namedAt, authors, update } = version
  const data = await deflate(update)
  const text = 'SELECT coedit.name_version($1, $2, $3, $4, $5, $6, $7, $8) AS outcome'
  const values = [document, incarnation, name, seq, namedAt, authors, checksumOf(data), data]
  const [row] = await link.query<{ outcome: NamingOutcome }>({ text, values })
  return row?.outcome ?? 'missing'
}

const NAMED = `
SELECT v.name, v.seq::float8 AS seq, v.named_at AS "namedAt", v.authors
FROM coedit.documents d JOIN coedit.versions v ON v.document = d.id WHERE d.name = $1 ORDER BY v.name`

export async function readNamedVersions(link: Link, document: string): Promise<readonly NamedVersion[]> {
  const rows = await link.query<NamedVersion>({ text: NAMED, values: [document] })
  return rows.map((row) => ({ ...row, authors: new Uint8Array(row.authors) }))
}

const CONTENT = `
SELECT v.checksum, v.data FROM coedit.documents d JOIN coedit.versions v ON v.document = d.id
WHERE d.name = $1 AND v.name = $2`

export async function readNamedVersion(link: Link, document: string, name: string): Promise<Uint8Array | undefined> {
  const [row] = await link.query<CheckedRow>({ text: CONTENT, values: [document, name] })
  return row && isIntact(row) ? (await inflateAll([row.data]))[0] : undefined
}

export async function removeNamedVersion(link: Link, document: string, name: string): Promise<boolean> {
  const text = `DELETE FROM coedit.versions v USING coedit.documents d
    WHERE d.name = $1 AND v.document = d.id AND v.name = $2 RETURNING v.seq`
  return (await link.query({ text, values: [document, name] })).length > 0
}
