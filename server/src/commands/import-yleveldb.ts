import { join } from 'node:path'
import type { Log } from '../common/log.ts'
import { nameFromPath } from '../protocol/wire/document-name.ts'
import type { Visit } from '../sources/source.ts'
import { readYLeveldb } from '../sources/yleveldb.ts'
import { copyDatabase } from '../storage/level/copy.ts'
import { declareCommand } from './command.ts'
import { expectDatabase } from './data.ts'
import { importAll, importSchema } from './importing.ts'

export const importYLeveldb = declareCommand({
  name: 'import-yleveldb',
  summary: 'Take over the documents of a y-websocket server.',
  description:
    'Adds the documents in DIRECTORY, which y-websocket wrote (YPERSISTENCE, y-leveldb 0.1 and 0.2), to the database. ' +
    'DIRECTORY is not changed, and the y-websocket server may still run on it; a coedit server on a directory must be ' +
    'stopped. Names are decoded as in a URL: my%20doc becomes "my doc". It may be run again: only what is new is added. ' +
    'Documents that were written with gc: false lose their old versions when the server compacts them: keep DIRECTORY.',
  operands: ['DIRECTORY'],
  schema: importSchema,
  async execute({ options, operands: [directory], print }) {
    await expectDatabase(directory)
    const source = {
      read: async (visit: Visit, scratch: string, log: Log) => {
        const copy = join(scratch, 'database')
        await copyDatabase(directory, copy)
        await readYLeveldb(copy, log, visit)
      },
      nameOf: (name: string) => nameFromPath(`/${name}`),
    }
    await importAll(options, source, print)
  },
})
