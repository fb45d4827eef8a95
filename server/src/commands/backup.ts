import { rename } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { CoeditError, hasCode } from '../common/errors.ts'
import { copyDatabase } from '../storage/level/copy.ts'
import { syncDirectory } from '../storage/level/files.ts'
import type { LevelStorage } from '../storage/level/level-storage.ts'
import { counted, dataSchema, declareCommand } from './command.ts'
import {
  type DataOptions,
  expectDatabase,
  expectDirectory,
  expectNothing,
  namesIn,
  withDirectory,
  withScratch,
} from './data.ts'

interface Verified {
  readonly documents: number
  readonly damaged: readonly string[]
}

export const backup = declareCommand({
  name: 'backup',
  summary: 'Copy the database, also while the server runs.',
  description:
    'Copies the database to DIRECTORY, which must not exist yet. The server may run and is not held up: the copy holds ' +
    'every edit that was acknowledged before. It is read back whole before DIRECTORY appears. To restore it, start a ' +
    'server on the directory, or on a copy of it. For PostgreSQL there is pg_dump.',
  operands: ['DIRECTORY'],
  schema: dataSchema,
  async execute({ options, operands: [directory], print }) {
    expectDirectory(options, 'pg_dump --schema=coedit copies that')
    const to = resolve(directory)
    await expectDatabase(options.data)
    await expectNothing(to)
    const { documents, damaged } = await makeAt(to, options)
    print(`${counted(documents, 'document')} copied to ${to}\n`)
    if (damaged.length > 0) throw damagedError(to, damaged)
  },
})

/** Makes the copy beside `to`, and moves it there when complete, so that nobody takes a part for the whole. */
function makeAt(to: string, options: DataOptions): Promise<Verified> {
  return withScratch(`${to}.partial`, async (scratch) => {
    const copy = join(scratch, 'database')
    await copyDatabase(options.data, copy)
    const verified = await verify({ ...options, data: copy })
    await rename(copy, to)
    await syncDirectory(dirname(to))
    return verified
  })
}

/** Reads all of the copy. */
function verify(options: DataOptions): Promise<Verified> {
  return withDirectory(options, async (storage) => {
    await storage.revocations.loadRevocations()
    const damaged: string[] = []
    let documents = 0
    for await (const name of namesIn(storage)) {
      if (!(await isWhole(storage, name))) damaged.push(name)
      documents++
    }
    return { documents, damaged }
  })
}

async function isWhole(storage: LevelStorage, name: string): Promise<boolean> {
  const before = storage.damage.records
  try {
    const { quarantined } = await storage.load(name)
    return storage.damage.records === before && quarantined.length === 0
  } catch (error) {
    if (hasCode(error, 'STORAGE_DAMAGED')) return false
    throw error
  }
}

function damagedError(directory: string, names: readonly string[]): CoeditError {
  const documents = names.map((name) => `'${name}'`).join(', ')
  const message = `In ${directory} as in the original, some documents are damaged: ${documents}. Run coedit repair on it.`
  return new CoeditError('STORAGE_DAMAGED', message)
}
