import type { Decode } from './rows.ts'
import { updateOfYhub } from './yhub.ts'

/** How a server keeps its documents in a database. */
export interface Layout {
  /** Gives the name of a document and bytes of it, in as many rows as there are. */
  readonly query: string
  readonly decode: Decode
}

const plain: Decode = (data) => data

/** y-redis clients of a room have the document `index`. */
const ROOM = `CASE WHEN doc = 'index' THEN room ELSE room || '/' || doc END`

const table = {
  hocuspocus: { query: 'SELECT name, data FROM documents', decode: plain },
  docmost: { query: `SELECT 'page.' || CAST(id AS TEXT), ydoc FROM pages`, decode: plain },
  outline: { query: `SELECT 'document.' || CAST(id AS TEXT), state FROM documents`, decode: plain },
  'y-redis': { query: `SELECT ${ROOM}, update FROM yredis_docs_v1`, decode: plain },
  'y-redis-v2': {
    query: `SELECT ${ROOM}, update FROM yredis_docs_v2 WHERE branch = 'main' AND gc`,
    decode: plain,
  },
  yhub: {
    query: `
      SELECT org || '/' || docid, gcDoc FROM yhub_ydoc_v1 y
      WHERE branch = 'main' AND NOT EXISTS (
        SELECT FROM yhub_ydoc_tombstones_v1 t WHERE (t.org, t.docid, t.branch) = (y.org, y.docid, y.branch)
      )`,
    decode: updateOfYhub,
  },
} as const satisfies Record<string, Layout>

export type LayoutName = keyof typeof table

/** By name. */
export const LAYOUTS: Readonly<Record<LayoutName, Layout>> = table

export const LAYOUT_NAMES = Object.keys(table) as [LayoutName, ...LayoutName[]]
