import type {
  DatedDocument,
  DatedEntry,
  HistoryStore,
  NamedVersion,
  NamingOutcome,
  NewNamedVersion,
  Segment,
  WholeSegment,
} from '../history-store.ts'
import { expireHistory, readEntries, readSegments, readStart, storeSegment } from './history.ts'
import type { Run } from './link.ts'
import { nameVersion, readNamedVersion, readNamedVersions, removeNamedVersion } from './named-versions.ts'
import { readDated } from './reading.ts'

/** What documents in a database were. */
export class HistoryTable implements HistoryStore {
  readonly #run: Run

  constructor(run: Run) {
    this.#run = run
  }

  loadDated(document: string): Promise<DatedDocument> {
    return this.#run((link) => readDated(link, document))
  }

  listSegments(document: string, place: number | undefined, limit: number): Promise<readonly Segment[]> {
    return this.#run((link) => readSegments(link, document, place, limit))
  }

  readSegment(document: string, place: number): Promise<readonly DatedEntry[] | undefined> {
    return this.#run((link) => readEntries(link, document, place))
  }

  readStart(document: string, place: number): Promise<readonly Uint8Array[] | undefined> {
    return this.#run((link) => readStart(link, document, place))
  }

  storeSegment(document: string, segment: WholeSegment): Promise<void> {
    return this.#run((link) => storeSegment(link, document, segment))
  }

  expireHistory(time: number): Promise<void> {
    return this.#run((link) => expireHistory(link, time))
  }

  nameVersion(document: string, version: NewNamedVersion): Promise<NamingOutcome> {
    return this.#run((link) => nameVersion(link, document, version))
  }

  listNamedVersions(document: string): Promise<readonly NamedVersion[]> {
    return this.#run((link) => readNamedVersions(link, document))
  }

  readNamedVersion(document: string, name: string): Promise<Uint8Array | undefined> {
    return this.#run((link) => readNamedVersion(link, document, name))
  }

  removeNamedVersion(document: string, name: string): Promise<boolean> {
    return this.#run((link) => removeNamedVersion(link, document, name))
  }
}
