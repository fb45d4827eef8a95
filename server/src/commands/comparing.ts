import { mergeEntries } from '../protocol/update/update.ts'
import type { StoredDocument } from '../storage/document-store.ts'
import type { DatedEntry, HistoryStore } from '../storage/history-store.ts'
import type { Storage } from '../storage/storage.ts'
import { counted } from './command.ts'
import { entriesOf } from './content.ts'
import { isEqual, originalOf, segmentsIn, wholeSegment } from './copying.ts'

/** Resolves with what is wrong with the copy, if anything is. */
export async function compareDocument(name: string, source: Storage, target: Storage): Promise<string | undefined> {
  const [original, copied] = [await originalOf(name, source), await target.history.loadDated(name)]
  if (copied.head === 0) return 'is not at the destination'
  if (!isSame(original, copied)) return 'is another one at the destination'
  const isHistorySame =
    original.head === copied.head &&
    original.tail.length === copied.tail.length &&
    areSame(original.tail, copied.tail) &&
    (await haveSameSegments(name, source.history, target.history)) &&
    (await haveSameNames(name, source.history, target.history))
  if (!isHistorySame) return 'has another history at the destination'
  const { quarantined = [] } = original
  return quarantined.length > 0
    ? `has ${counted(quarantined.length, 'update')} in quarantine that stay behind`
    : undefined
}

/** Whether the target has what the source can still read, from the latest segment back. */
async function haveSameSegments(name: string, source: HistoryStore, target: HistoryStore): Promise<boolean> {
  const copies = new Map((await segmentsIn(target, name)).map((segment) => [segment.first, segment]))
  for (const segment of await segmentsIn(source, name)) {
    const original = await wholeSegment(name, segment, source)
    if (!original) return true
    const copy = copies.get(segment.first)
    const copied = copy && (await wholeSegment(name, copy, target))
    if (!copied || !areSame(original.entries, copied.entries)) return false
    if (!isEqual(original.start ?? [], copied.start ?? [])) return false
  }
  return true
}

async function haveSameNames(name: string, source: HistoryStore, target: HistoryStore): Promise<boolean> {
  const copies = new Map((await target.listNamedVersions(name)).map((version) => [version.name, version]))
  for (const original of await source.listNamedVersions(name)) {
    const copied = copies.get(original.name)
    if (copied?.seq !== original.seq || copied.namedAt !== original.namedAt) return false
    const [was, is] = [
      await source.readNamedVersion(name, original.name),
      await target.readNamedVersion(name, original.name),
    ]
    if (was && !(is && isEqual([original.authors, was], [copied.authors, is]))) return false
  }
  return true
}

function areSame(entries: readonly DatedEntry[], others: readonly DatedEntry[]): boolean {
  const bytesOf = (all: readonly DatedEntry[]) => all.flatMap(({ authors, update }) => [authors, update])
  const isDated = entries.every(({ seq, time }, index) => others[index]?.seq === seq && others[index].time === time)
  return isDated && isEqual(bytesOf(entries), bytesOf(others))
}

function isSame(one: StoredDocument, other: StoredDocument): boolean {
  return Buffer.compare(mergeEntries(entriesOf(one)), mergeEntries(entriesOf(other))) === 0
}
