import { stat } from 'node:fs/promises'
import { z } from 'zod'
import { CoeditError } from '../common/errors.ts'
import { isDatabaseUrl } from '../config/config.ts'
import { readFiles } from '../sources/files.ts'
import { LAYOUT_NAMES, LAYOUTS } from '../sources/layouts.ts'
import { readPostgres } from '../sources/postgres.ts'
import type { Visit } from '../sources/source.ts'
import { readSqlite } from '../sources/sqlite.ts'
import { holdsDatabase, isMissing } from '../storage/level/files.ts'
import { declareCommand } from './command.ts'
import { importAll, importSchema } from './importing.ts'

const NAME = '{name}'

const schema = importSchema.extend({
  layout: z
    .enum(LAYOUT_NAMES)
    .default('hocuspocus')
    .describe('Whose tables the database of the source has; hocuspocus is a table documents with name and data.'),
  query: z.string().default('').meta({
    description: 'SQL for any other table: gives the name of a document and bytes of it, in one row or several.',
    expected: 'nothing or a SELECT of two columns',
  }),
  name: z
    .string()
    .regex(/\{name\}/)
    .default(NAME)
    .meta({
      description: 'How documents are to be called: {name} stands for their name in the source.',
      expected: 'text with {name} in it',
    }),
})

export const importDocuments = declareCommand({
  name: 'import',
  summary: 'Take over the documents of another server of Yjs.',
  description:
    'Adds the documents in SOURCE to the database. SOURCE is an SQLite file, the URL of a PostgreSQL, or a directory of ' +
    'files NAME.bin and NAME/data.ysweet (y-sweet); MIGRATION.md tells of each server. It is not changed. Stop the server ' +
    'that writes it, so that all is in it, and a coedit server on a directory. Updates of both encodings are understood. It ' +
    'may be run again: only what is new is added.',
  operands: ['SOURCE'],
  schema,
  async execute({ options, operands: [place], print }) {
    const { layout: layoutName, query, name: pattern } = options
    const layout = query === '' ? LAYOUTS[layoutName] : { ...LAYOUTS.hocuspocus, query }
    const kind = await kindOf(place)
    const read = (visit: Visit, scratch: string): Promise<void> => {
      switch (kind) {
        case 'database':
          return readPostgres(place, layout, visit)
        case 'directory':
          return readFiles(place, visit)
        case 'file':
          return readSqlite(place, layout, scratch, visit)
      }
    }
    await importAll(options, { read, nameOf: (name) => pattern.replaceAll(NAME, () => name) }, print)
  },
})

/** @throws CoeditError STORAGE_MISSING, OPTION_INVALID */
async function kindOf(place: string): Promise<'database' | 'directory' | 'file'> {
  if (isDatabaseUrl(place)) return 'database'
  const facts = await stat(place).catch((error: unknown) => {
    if (!isMissing(error)) throw error
    throw new CoeditError('STORAGE_MISSING', `There is nothing at ${place}: name a file, a directory or a URL.`)
  })
  if (!facts.isDirectory()) return 'file'
  if (!(await holdsDatabase(place))) return 'directory'
  throw new CoeditError(
    'OPTION_INVALID',
    `${place} is a LevelDB directory: coedit import-yleveldb takes what y-websocket wrote`,
  )
}
