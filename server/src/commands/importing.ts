import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as Y from 'yjs'
import type { z } from 'zod'
import { CoeditError, goneError } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import { type Config, serverSchema } from '../config/config.ts'
import {
  encodeNews,
  holdsDeleted,
  KnownState,
  type News,
  type ScannedUpdate,
  scanUpdate,
  splitUpdate,
  takeNews,
} from '../protocol/update/update.ts'
import { checkName } from '../protocol/wire/document-name.ts'
import type { SourceDocument, Visit } from '../sources/source.ts'
import type { DocumentStore, StoredDocument } from '../storage/document-store.ts'
import { counted, dataSchema, type Print } from './command.ts'
import { withScratch, withStorage } from './data.ts'
import { AS_IT_IS, type Normalization, normalizationOf } from './normalized.ts'

/** What every import may be told. */
export const importSchema = dataSchema.extend(
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
  /** Whether there is content in it that was deleted, as where garbage is not collected. */
  readonly holdsDeleted: boolean
  /** What was done to its line ends. */
  readonly normalization: Normalization
}

/** Where documents come from, and how they are to be called. */
export interface Source {
  /** Calls `visit` for each document. The directory `scratch` is removed afterwards. */
  read(visit: Visit, scratch: string, log: Log): Promise<void>
  nameOf(name: string): string
}

/**
 * Adds what is new in the source to the database, and prints what it found.
 * Rejects as the source and the storage do, and with IMPORT_INCOMPLETE where something was left out.
 */
export async function importAll(
  options: z.output<typeof importSchema>,
  { read, nameOf }: Source,
  print: Print,
): Promise<void> {
  const report = new Report(print)
  await withStorage(options, (storage, log) =>
    withScratch(join(options.database === '' ? options.data : tmpdir(), 'import'), (scratch) =>
      read(
        async (document) => {
          const name = nameOf(document.name)
          const stored = await loadOrRefuse(storage, name, options.maxNameBytes)
          if (stored instanceof CoeditError) report.refused(document, stored)
          else report.imported(name, document, await importDocument(storage, name, stored, document, options))
        },
        scratch,
        log,
      ),
    ),
  )
  report.finish()
}

/** What is stored under the name, or why nothing can be added to that. */
async function loadOrRefuse(
  storage: DocumentStore,
  name: string,
  maxBytes: number,
): Promise<StoredDocument | CoeditError> {
  try {
    checkName(name, maxBytes)
    const stored = await storage.load(name)
    return stored.isDeleted ? goneError(name) : stored
  } catch (error) {
    if (error instanceof CoeditError) return error
    throw error
  }
}

async function importDocument(
  storage: DocumentStore,
  name: string,
  stored: StoredDocument,
  { updates }: SourceDocument,
  { chunkBytes, normalizeLineEnds }: ImportOptions,
): Promise<Finding> {
  const before = updatesOf(stored)
  const known = new KnownState()
  for (const update of before) known.absorb(scanUpdate(update))
  const { news, holes, malformed, holdsDeleted } = takeAll(updates, known)
  const isNew = news.length > 0
  const normalization = normalizeLineEnds ? normalizationOf([...before, encodeNews(news)]) : AS_IT_IS
  if (normalization.update) news.push(...takeAll([normalization.update], known).news)
  if (news.length > 0) {
    const entries = splitUpdate(encodeNews(news), chunkBytes)
    await storage.append(entries.map((update) => ({ document: name, update, base: stored.head })))
  }
  return { updates: updates.length, isNew, holes, malformed, holdsDeleted, normalization }
}

function updatesOf({ snapshot, tail }: StoredDocument): Uint8Array[] {
  return [...(snapshot?.chunks ?? []), ...tail.map(({ update }) => update)]
}

const EMPTY = Y.encodeStateAsUpdate(new Y.Doc())
const EMPTY_V2 = Y.encodeStateAsUpdateV2(new Y.Doc())

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
  const malformed = scanned.filter((update) => update === undefined).length
  return { news, holes: left.length, malformed, holdsDeleted: scanned.some((update) => update && holdsDeleted(update)) }
}

/** Of an update of either encoding; undefined where it is of none. */
function scanOrNothing(update: Uint8Array): ScannedUpdate | undefined {
  try {
    return scanUpdate(update)
  } catch (error) {
    if (!(error instanceof CoeditError)) throw error
    const converted = fromV2(update)
    return converted && scanOrNothing(converted)
  }
}

/** The start of every update in the encoding v2, which is none in v1; Yjs would take any run of zeros for one. */
function fromV2(update: Uint8Array): Uint8Array | undefined {
  if (update[0] !== 0) return undefined
  try {
    const converted = Y.convertUpdateFormatV2ToV1(update)
    return converted.length > EMPTY.length || Buffer.compare(update, EMPTY_V2) === 0 ? converted : undefined
  } catch {
    return undefined
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

  imported(
    name: string,
    { problems }: SourceDocument,
    { updates, isNew, holes, malformed, holdsDeleted, normalization }: Finding,
  ): void {
    const { lineEnds, isUnreadable } = normalization
    this.#documents++
    this.#updates += updates
    if (isNew || lineEnds > 0) this.#changed++
    if (holes + malformed + problems.length > 0 || isUnreadable) this.#incomplete++
    const notes = [
      ...(lineEnds > 0 ? [`${counted(lineEnds, 'line end')} normalized`] : []),
      ...(holes > 0 ? [`${holes} left out behind a hole`] : []),
      ...(malformed > 0 ? [`${malformed} malformed`] : []),
      ...(holdsDeleted ? ['holds deleted content'] : []),
      ...new Set(problems),
      ...(isUnreadable ? ['line ends kept, for Yjs cannot read it'] : []),
    ]
    const outcome = [counted(updates, 'update'), isNew ? 'imported' : 'nothing new', ...notes]
    this.#print(`'${name}': ${outcome.join(', ')}\n`)
  }

  refused({ name, updates }: SourceDocument, { message }: CoeditError): void {
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
