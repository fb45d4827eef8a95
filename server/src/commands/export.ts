import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { CoeditError, goneError, hasCode } from '../common/errors.ts'
import { mergeEntries } from '../protocol/update/update.ts'
import { fileOfName } from '../sources/file-names.ts'
import { syncDirectory } from '../storage/level/files.ts'
import type { Storage } from '../storage/storage.ts'
import { counted, dataSchema, declareCommand, type Print } from './command.ts'
import { entriesOf } from './content.ts'
import { expectNothing, namesIn, type StorageOptions, withDocuments, withScratch } from './data.ts'
import { jsonOf, textOf } from './readable.ts'

const schema = dataSchema.extend({
  format: z
    .enum(['text', 'json', 'update'])
    .default('text')
    .describe('How to print it: one shared text, all shared types as JSON, or everything as one Yjs update (v1).'),
  root: z.string().min(1).default('content').meta({
    description: 'Which shared text the format text prints.',
    expected: 'the name of a shared type',
  }),
  all: z
    .boolean()
    .default(false)
    .describe('Write all documents, each as one Yjs update (v1), to files in a directory NAME, which is made.'),
})

export const exportDocument = declareCommand({
  name: 'export',
  summary: 'Print the content of a document, or write all documents to files.',
  description:
    'Prints a document to stdout. A server on a directory must be stopped; for a running one, export from a backup. Only the format ' +
    'update keeps everything: text and JSON leave out formatting and who wrote what. With --all NAME is a directory that must not ' +
    'exist yet: the document team/notes becomes the file team/notes.bin there, a Yjs update (v1), which coedit import takes as well.',
  operands: ['NAME'],
  schema,
  async execute({ options, operands: [name], print }) {
    if (options.all) return exportAll(options, resolve(name), print)
    const update = await withDocuments(options, async (storage, log) => {
      const { head, isDeleted, update, quarantined } = await exported(storage, name)
      if (isDeleted) throw goneError(name)
      if (head === 0) throw new CoeditError('DOCUMENT_MISSING', `There is no document '${name}'.`)
      if (quarantined > 0) log.warn({ document: name, quarantined }, 'what follows a damaged record is not exported')
      return update
    })
    print(render(update, options))
  },
})

async function exported(storage: Storage, name: string) {
  const stored = await storage.load(name)
  const { head, isDeleted, quarantined = [] } = stored
  return { head, isDeleted, update: mergeEntries(entriesOf(stored)), quarantined: quarantined.length }
}

/** Makes the files beside `to`, and moves them there when complete, so that nobody takes a part for the whole. */
async function exportAll(options: StorageOptions, to: string, print: Print): Promise<void> {
  const damaged: string[] = []
  let documents = 0
  await withDocuments(options, async (storage) => {
    await expectNothing(to)
    await withScratch(`${to}.partial`, async (scratch) => {
      const made = join(scratch, 'documents')
      await mkdir(made)
      for await (const name of namesIn(storage)) {
        documents++
        const problem = await writeDocument(storage, name, made)
        if (problem === undefined) continue
        damaged.push(name)
        print(`'${name}': ${problem}\n`)
      }
      await rename(made, to)
      await syncDirectory(dirname(to))
    })
  })
  print(`${counted(documents, 'document')} exported to ${to}\n`)
  if (damaged.length === 0) return
  throw new CoeditError('STORAGE_DAMAGED', `${counted(damaged.length, 'document')} could not be exported whole.`)
}

/** Resolves with what could not be written of it, if anything. */
async function writeDocument(storage: Storage, name: string, directory: string): Promise<string | undefined> {
  try {
    const { update, quarantined } = await exported(storage, name)
    const file = join(directory, ...fileOfName(name))
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, update, { flag: 'wx', flush: true })
    return quarantined > 0 ? `${counted(quarantined, 'update')} in quarantine left out` : undefined
  } catch (error) {
    if (hasCode(error, 'STORAGE_DAMAGED')) return 'damaged, left out'
    throw error
  }
}

function render(update: Uint8Array, { format, root }: z.output<typeof schema>): string | Uint8Array {
  switch (format) {
    case 'update':
      return update
    case 'json':
      return `${JSON.stringify(jsonOf(update), undefined, 2)}\n`
    case 'text':
      return textOf(update, root)
  }
}
