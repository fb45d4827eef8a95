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
import { MAX_NAMED_VERSIONS } from '../limits.ts'
import { lastStanding } from '../lineage.ts'
import { decodeSegment, expiredUpTo, inflateAll, remakeSegment } from '../segments.ts'
import type { MemoryAccess } from './access.ts'
import { inByteOrder, type MemorySegment, storedIn } from './database.ts'

/** What documents in a database were. */
export class MemoryHistory implements HistoryStore {
  readonly #access: MemoryAccess

  constructor(access: MemoryAccess) {
    this.#access = access
  }

  loadDated(document: string): Promise<DatedDocument> {
    return this.#access.run(() => {
      const { tail, ...stored } = storedIn(this.#access.database, document)
      return { ...stored, tail: tail.map(({ seq, time, authors, update }) => ({ seq, time, authors, update })) }
    })
  }

  listSegments(document: string, place = Number.POSITIVE_INFINITY, limit: number): Promise<readonly Segment[]> {
    return this.#access.run(() => {
      const { segments = [] } = this.#access.database.documents.get(document) ?? {}
      const found = segments.filter((segment) => segment.place < place).toReversed()
      return found.slice(0, limit).map(({ place, first, last, since, until, isStart }) => {
        return { place, first, last, since, until, isStart }
      })
    })
  }

  async readSegment(document: string, place: number): Promise<readonly DatedEntry[] | undefined> {
    const found = await this.#access.run(() => this.#segmentOf(document, place))
    return found && decodeSegment(found.content)
  }

  async readStart(document: string, place: number): Promise<readonly Uint8Array[] | undefined> {
    const found = await this.#access.run(() => this.#segmentOf(document, place))
    return found?.isStart ? inflateAll(found.start) : undefined
  }

  async storeSegment(document: string, segment: WholeSegment): Promise<void> {
    const before = await this.#access.run(() => this.#access.database.documents.get(document))
    const last = before?.segments.at(-1)
    const made = await remakeSegment(segment, last, before?.snapshot?.seq ?? 0)
    await this.#access.run(() => {
      const stored = this.#access.database.documents.get(document)
      if (!made || !stored || stored !== before || stored.segments.at(-1) !== last) return
      const place = (last?.place ?? 0) + 1
      stored.segments = [...stored.segments, ...made.segments.map((one) => ({ ...one, place, start: made.start }))]
    })
  }

  expireHistory(time: number): Promise<void> {
    return this.#access.run(() => {
      for (const document of this.#access.database.documents.values()) {
        const last = expiredUpTo(document.segments, time) ?? 0
        document.segments = document.segments.filter(({ place }) => place > last)
      }
    })
  }

  nameVersion(document: string, version: NewNamedVersion): Promise<NamingOutcome> {
    return this.#access.run(() => {
      const stored = this.#access.database.documents.get(document)
      if (!stored || lastStanding(version.incarnation, stored) < version.seq) return 'missing'
      if (stored.versions.has(version.name)) return 'taken'
      if (stored.versions.size >= MAX_NAMED_VERSIONS) return 'full'
      stored.versions.set(version.name, { ...version, update: new Uint8Array(version.update) })
      return 'named'
    })
  }

  listNamedVersions(document: string): Promise<readonly NamedVersion[]> {
    return this.#access.run(() => {
      const { versions = new Map<string, NewNamedVersion>() } = this.#access.database.documents.get(document) ?? {}
      const named = [...versions.values()].map(({ name, seq, namedAt, authors }) => ({ name, seq, namedAt, authors }))
      return named.sort((a, b) => inByteOrder(a.name, b.name))
    })
  }

  readNamedVersion(document: string, name: string): Promise<Uint8Array | undefined> {
    return this.#access.run(() => this.#access.database.documents.get(document)?.versions.get(name)?.update)
  }

  removeNamedVersion(document: string, name: string): Promise<boolean> {
    return this.#access.run(() => this.#access.database.documents.get(document)?.versions.delete(name) ?? false)
  }

  #segmentOf(document: string, place: number): MemorySegment | undefined {
    return this.#access.database.documents.get(document)?.segments.find((segment) => segment.place === place)
  }
}
