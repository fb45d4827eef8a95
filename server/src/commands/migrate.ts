import { z } from 'zod'
import { CoeditError } from '../common/errors.ts'
import { serverSchema } from '../config/config.ts'
import { migrateDatabase } from '../storage/postgres/migrate.ts'
import { declareCommand } from './command.ts'

const schema = serverSchema.pick({ database: true }).extend({
  grantTo: z.string().default('').meta({
    description: 'Role of the servers, which is granted what they need: to read and write, and nothing else.',
    expected: 'nothing or the name of a role',
  }),
})

export const migrate = declareCommand({
  name: 'migrate',
  summary: 'Make or update what coedit needs in PostgreSQL.',
  description:
    'Makes the schema coedit in the database, or brings it to this version. A server does so itself when its role may; ' +
    'where that should not be, run this as the role that owns the schema. Servers of the version before go on meanwhile.',
  operands: [],
  schema,
  async execute({ options: { database, grantTo }, print }) {
    if (database === '') {
      throw new CoeditError(
        'OPTION_INVALID',
        '--database is missing: a directory is brought up to date when it is opened',
      )
    }
    const { from, to } = await migrateDatabase(database, grantTo)
    print(from === to ? `the schema has version ${to} already\n` : `the schema has version ${to} now; it had ${from}\n`)
  },
})
