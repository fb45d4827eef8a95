import type { CursorFailure } from '../cursor-store.ts'
import type { EarlierIncarnation, Snapshot, StoredDocument, WriteKey } from '../document-store.ts'
import type { DatedEntry, NewNamedVersion } from '../history-store.ts'
import { lineageOf } from '../lineage.ts'
import { deletionOf, NO_LOG } from '../log-part.ts'
import type { StoredRevocation } from '../revocation-store.ts'
import type { NewSegment } from '../segments.ts'

/** One of those that share a database. */
export interface MemoryServer {
  readonly isOpen: boolean
}

/** Hears what is sent by a relay. */
export interface MemoryHearer {
  hear(message: Uint8Array): void
}

export interface MemoryEntry extends DatedEntry {
  readonly writer: MemoryServer
}

export interface MemorySegment extends NewSegment {
  readonly place: number
  /** What was before it, where it is a start. */
  readonly start: readonly Uint8Array[]
}

export interface MemoryKey extends WriteKey {
  readonly seq: number
  readonly time: number
}

export interface MemoryCursor {
  /** Undefined where nothing was written since the document was deleted. */
  seq: number | undefined
  deletedAt: number | undefined
  failure: CursorFailure | undefined
  holder: MemoryServer
}

export interface MemoryDocument {
  incarnation: number
  earlierIncarnations: readonly EarlierIncarnation[]
  /** The epoch of the database in which it was appended to last. */
  epoch: number
  readonly createdAt: number
  updatedAt: number
  head: number
  snapshot: Snapshot | null
  tail: MemoryEntry[]
  keys: readonly MemoryKey[]
  segments: readonly MemorySegment[]
  readonly versions: Map<string, NewNamedVersion>
}

/** A document that was never written. */
export const NOTHING: MemoryDocument = {
  ...NO_LOG,
  earlierIncarnations: [],
  epoch: 0,
  createdAt: 0,
  updatedAt: 0,
  snapshot: null,
  tail: [],
  keys: [],
  segments: [],
  versions: new Map(),
}

/** What several storages share as servers share an engine. It is gone with the process. */
export class MemoryDatabase {
  /** Grows by one with each failover. */
  epoch = 0
  readonly documents = new Map<string, MemoryDocument>()
  /** Of documents that were deleted; those that were made anew are in `documents` as well. */
  readonly formerClients = new Map<string, Uint8Array>()
  readonly deletionKeys: (MemoryKey & { readonly document: string })[] = []
  readonly revocations = new Map<string | null, StoredRevocation>()
  /** By the name of the cursor, then by document. */
  readonly cursors = new Map<string, Map<string, MemoryCursor>>()
  /** By their ids. */
  readonly webhooks = new Map<string, string>()
  /** By document, whoever is to be told that something was appended. */
  readonly followers = new Map<string, Set<() => void>>()
  /** Whoever is to be told of revocations, and the storage that it has them from. */
  readonly revocationFollowers = new Map<() => void, MemoryServer>()
  /** The same of webhooks. */
  readonly webhookFollowers = new Map<() => void, MemoryServer>()
  readonly relays = new Set<MemoryHearer>()

  /** Does as a standby that is promoted and never got the last entries of documents. */
  failOver(countLost: (document: string) => number): void {
    this.epoch++
    for (const [name, document] of this.documents) {
      document.head = Math.max(document.head - countLost(name), document.snapshot?.seq ?? 0)
      document.tail = document.tail.filter(({ seq }) => seq <= document.head)
      document.keys = document.keys.filter(({ seq }) => seq <= document.head)
      for (const cursors of this.cursors.values()) {
        const cursor = cursors.get(name)
        if (cursor && (cursor.seq ?? 0) >= document.head) cursors.delete(name)
      }
      if (document.head === 0) this.documents.delete(name)
      for (const tell of this.followers.get(name) ?? []) tell()
    }
  }
}

/** A document as it is stored. */
export function storedIn(
  { documents, formerClients }: MemoryDatabase,
  document: string,
): Omit<StoredDocument, 'tail'> & { readonly tail: readonly MemoryEntry[] } {
  const { head, snapshot, tail, ...lineage } = documents.get(document) ?? NOTHING
  const deletion = deletionOf(formerClients.get(document), documents.has(document))
  return { head, ...lineageOf(lineage), ...deletion, snapshot, tail }
}

/** Compares names by their UTF-8, which JavaScript does not do by itself. */
export function inByteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
