import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../common/log.ts'
import type { Clock } from '../common/timing.ts'
import { Database } from '../storage/level/database.ts'
import { prepareFormat } from '../storage/level/format.ts'
import { documentRange, nameKey } from '../storage/level/keys.ts'
import { type Layout, layOut, sortRecords } from '../storage/level/layout.ts'
import { putName, removeKey, repair } from '../storage/level/operations.ts'
import { readRange } from '../storage/level/read-range.ts'
import { BatchWriter } from './batch-writer.ts'
import { withLock } from './lock.ts'
import { type FilesFound, salvageNewest } from './newest.ts'
import { replaceDatabase } from './replace.ts'
import { type Names, readIds, readNames } from './salvaged-names.ts'

export interface RepairContext {
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
  readonly newIncarnation: () => number
}

/** What was found of one document. */
export interface Finding {
  readonly document: string
  /** Whether nothing was missing or damaged. */
  readonly isIntact: boolean
  /** Records whose checksum fails; they are kept as they are. */
  readonly damaged: number
  /** Places in its log, or in its snapshot, where something is missing. */
  readonly holes: number
  /** Updates that follow a hole: they come back when clients have filled it. */
  readonly quarantined: number
  /** Whether there is nothing of it but the name, which is removed. */
  readonly isLost: boolean
}

export interface RepairOutcome extends FilesFound {
  /** Where the files are that were there before. */
  readonly before: string
}

/**
 * Makes a new database of all that can be read of a damaged one, in which what is intact of each document is served.
 * What follows a hole is quarantined, and a document without its name is called `recovered-` and its number. The files
 * as they were are kept in a directory `before-repair-…` inside of this one: nothing of them is changed, and they are
 * moved there when the new ones are complete. Rejects as `Storage.open` does; nothing has changed then.
 */
export function repairDatabase(context: RepairContext, report: (finding: Finding) => void): Promise<RepairOutcome> {
  const { directory, clock, log } = context
  return withLock(directory, async () => {
    const scratch = await mkdtemp(join(directory, 'repaired-'))
    try {
      const database = new Database({ directory: scratch, clock, log })
      await database.open()
      const found = await fill(database, context, report).finally(() => database.close())
      const before = await mkdtemp(join(directory, 'before-repair-'))
      await replaceDatabase(directory, scratch, before)
      return { ...found, before }
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
  })
}

async function fill(
  database: Database,
  context: RepairContext,
  report: (finding: Finding) => void,
): Promise<FilesFound> {
  const writer = new BatchWriter(database)
  const found = await salvageNewest(context.directory, (record) => writer.add({ type: 'put', ...record }))
  await writer.finish()
  await repairDocuments(database, context, report)
  // The version is written last: without it a database is known by its names, which may have been lost.
  await prepareFormat(database, context.directory, context.log)
  return found
}

async function repairDocuments(database: Database, context: RepairContext, report: (finding: Finding) => void) {
  const ids = await database.read(readIds)
  const names = await database.read((level) => readNames(level, ids))
  const called = new Set<string>()
  for (const id of ids) {
    const finding = await repairDocument(database, id, names, context)
    called.add(finding.document)
    report(finding)
  }
  for (const document of names.table.keys()) {
    if (called.has(document)) continue
    await database.write([removeKey(nameKey(document))])
    report({ document, isIntact: false, damaged: 0, holes: 0, quarantined: 0, isLost: true })
  }
}

async function repairDocument(
  database: Database,
  id: number,
  { table, ofId }: Names,
  { clock, newIncarnation }: RepairContext,
): Promise<Finding> {
  const records = sortRecords(await database.read((level) => readRange(level, documentRange(id))))
  const document = ofId.get(id) ?? `recovered-${id}`
  const layout = layOut(records, document, clock.now())
  const isCalledSo = table.get(document) === id && layout.metadata.name === document
  const metadata = { ...layout.metadata, name: document }
  // An intact log may have lost its end, whose numbers, given anew, stand for other edits than a cursor has read.
  const operations = repair(id, { ...layout, metadata }, newIncarnation())
  await database.write(isCalledSo ? operations : [putName(document, id), ...operations])
  const unreadable = layout.quarantined.filter(({ update }) => update === undefined)
  return {
    document,
    isIntact: isCalledSo && layout.isIntact && layout.quarantined.length === 0,
    damaged: layout.damaged.length + unreadable.length,
    holes: holesIn(layout, records.metadata?.chunkCount),
    quarantined: layout.quarantined.length - unreadable.length + layout.cutOff.length,
    isLost: false,
  }
}

/** @param chunkCount how many chunks the snapshot had, where that is known */
function holesIn({ metadata, chunks, tail, cutOff }: Layout, chunkCount: number | undefined): number {
  const { generation, snapshotSeq } = metadata
  const chunkNumbers = chunks.map(({ index }) => index)
  const seqs = tail.map(({ seq }) => seq)
  for (const record of cutOff) {
    if (record.kind === 'chunk' && record.generation === generation) chunkNumbers.push(record.index)
    if (record.kind === 'entry' && record.seq > snapshotSeq) seqs.push(record.seq)
  }
  if (chunkCount !== undefined) chunkNumbers.push(chunkCount)
  return gapsIn(-1, chunkNumbers) + gapsIn(snapshotSeq, seqs)
}

/** How often the numbers after `before` do not go on by one. */
function gapsIn(before: number, numbers: readonly number[]): number {
  return numbers.filter((number, index) => number !== (numbers[index - 1] ?? before) + 1).length
}
