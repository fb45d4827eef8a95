import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CoeditError } from '../common/errors.ts'
import { type Config, serverSchema } from '../config/config.ts'
import { encodeNews, KnownState, type News, scanUpdate, splitUpdate, takeNews } from '../protocol/update/update.ts'
import { checkName, nameFromPath } from '../protocol/wire/document-name.ts'
import { copyDatabase } from '../storage/level/copy.ts'
import { readYLeveldb, type YLeveldbDocument } from '../storage/level/yleveldb.ts'
import type { DocumentStore, StoredDocument } from '../storage/storage.ts'
import { counted, dataSchema, declareCommand, type Print } from './command.ts'
import { expectDatabase, withScratch, withStorage } from './data.ts'
import { AS_IT_IS, type Normalization, normalizationOf } from './normalized.ts'

const schema = dataSchema.extend(
  serverSchema.pick({ maxNameBytes: true, chunkBytes: true, normalizeLineEnds: true }).shape,
)

type ImportOptions = Pick<Config, 'chunkBytes' | 'normalizeLineEnds'>

/** What became of one document. */
interface Finding {
  readonly updates: number
  readonly isNew: boolean
  /** Updates, or parts of them, that build on something that is not there. */
  readonly holes: number
  readonly malformed: number
  /** What was done to its line ends. */
  readonly normalization: Normalization
}

export const importYLeveldb = declareCommand({
  name: 'import-yleveldb',
  summary: 'Take over the documents of a y-websocket server.',
  description:
    'Adds the documents in DIRECTORY, which y-websocket wrote (YPERSISTENCE, y-leveldb 0.1 and 0.2), to the database. ' +
    'DIRECTORY is not changed, and the y-websocket server may still run on it; a coedit server on a directory must be ' +
    'stopped. Names are decoded as in a URL: my%20doc becomes "my doc". It may be run again: only what is new is added. ' +
    'Documents that were written with gc: false lose their old versions when the server compacts them: keep DIRECTORY.',
  operands: ['DIRECTORY'],
  schema,
  async execute({ options, operands: [directory], print }) {
    await expectDatabase(directory)
    const report = new Report(print)
    await withStorage(options, (storage, log) =>
      withScratch(join(options.database === '' ? options.data : tmpdir(), 'import'), async (scratch) => {
        const copy = join(scratch, 'database')
        await copyDatabase(directory, copy)
        await readYLeveldb(copy, log, async (document) => {
          const name = nameFromPath(`/${document.name}`)
          const problem = problemOf(name, options.maxNameBytes)
          if (problem) report.refused(document, problem)
          else report.imported(name, await importDocument(storage, name, document, options))
        })
      }),
    )
    report.finish()
  },
})

function problemOf(name: string, maxBytes: number): CoeditError | undefined {
  try {
    checkName(name, maxBytes)
    return undefined
  } catch (error) {
    if (error instanceof CoeditError) return error
    throw error
  }
}

async function importDocument(
  storage: DocumentStore,
  name: string,
  { updates }: YLeveldbDocument,
  { chunkBytes, normalizeLineEnds }: ImportOptions,
): Promise<Finding> {
  const stored = await storage.load(name)
  const before = updatesOf(stored)
  const known = new KnownState()
  for (const update of before) known.absorb(scanUpdate(update))
  const { news, holes, malformed } = takeAll(updates, known)
  const isNew = news.length > 0
  const normalization = normalizeLineEnds ? normalizationOf([...before, encodeNews(news)]) : AS_IT_IS
  if (normalization.update) news.push(...takeAll([normalization.update], known).news)
  if (news.length > 0) {
    const entries = splitUpdate(encodeNews(news), chunkBytes)
    await storage.append(entries.map((update) => ({ document: name, update, base: stored.head })))
  }
  return { updates: updates.length, isNew, holes, malformed, normalization }
}

function updatesOf({ snapshot, tail }: StoredDocument): Uint8Array[] {
  return [...(snapshot?.chunks ?? []), ...tail.map(({ update }) => update)]
}

/** Takes what is new in the updates, whatever their order: as long as one brings something, those left are tried again. */
function takeAll(updates: readonly Uint8Array[], known: KnownState) {
  const scanned = updates.map(scanOrNothing)
  const news: News[] = []
  let left = scanned.filter((update) => update !== undefined)
  for (let found = -1; found < news.length; ) {
    found = news.length
    left = left.filter((update) => {
      const taken = takeNews(update, known)
      if (taken.news) news.push(taken.news)
      return !taken.complete
    })
  }
  return { news, holes: left.length, malformed: scanned.filter((update) => update === undefined).length }
}

function scanOrNothing(update: Uint8Array) {
  try {
    return scanUpdate(update)
  } catch (error) {
    if (error instanceof CoeditError) return undefined
    throw error
  }
}

/** Says what was found: a line for each document, and the sums. */
class Report {
  readonly #print: Print
  #documents = 0
  #updates = 0
  #changed = 0
  #incomplete = 0

  constructor(print: Print) {
    this.#print = print
  }

  imported(name: string, { updates, isNew, holes, malformed, normalization }: Finding): void {
    const { lineEnds, isUnreadable } = normalization
    this.#documents++
    this.#updates += updates
    if (isNew || lineEnds > 0) this.#changed++
    if (holes + malformed > 0 || isUnreadable) this.#incomplete++
    const notes = [
      ...(lineEnds > 0 ? [`${counted(lineEnds, 'line end')} normalized`] : []),
      ...(holes > 0 ? [`${holes} left out behind a hole`] : []),
      ...(malformed > 0 ? [`${malformed} malformed`] : []),
      ...(isUnreadable ? ['line ends kept, for Yjs cannot read it'] : []),
    ]
    const outcome = [counted(updates, 'update'), isNew ? 'imported' : 'nothing new', ...notes]
    this.#print(`'${name}': ${outcome.join(', ')}\n`)
  }

  refused({ name, updates }: YLeveldbDocument, { message }: CoeditError): void {
    this.#documents++
    this.#updates += updates.length
    this.#incomplete++
    this.#print(`'${name}': ${counted(updates.length, 'update')}, left out: ${message}\n`)
  }

  /** @throws CoeditError IMPORT_INCOMPLETE */
  finish(): void {
    const found = `${counted(this.#documents, 'document')} with ${counted(this.#updates, 'update')} found`
    this.#print(`${found}, ${counted(this.#changed, 'document')} changed\n`)
    if (this.#incomplete === 0) return
    const message = `${counted(this.#incomplete, 'document')} could not be imported whole.`
    throw new CoeditError('IMPORT_INCOMPLETE', message)
  }
}
