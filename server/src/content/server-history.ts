import type { Moment, Named, Version } from '../document/history.ts'
import type { Author } from '../document/subscriber.ts'
import type { TimelinePage } from '../document/timeline.ts'
import type { Writer } from '../protocol/update/update.ts'
import type { Past } from './past.ts'
import type { Json, Representation } from './requests.ts'

/**
 * A version by its number, which is that of the last entry in it, what was there at a time, or a version by its name.
 */
export type When = number | Date | { readonly named: string }

/**
 * What documents were. All of these reject with DOCUMENT_MISSING, GONE or STORAGE_CLOSED, with
 * HISTORY_MISSING where the history does not reach back so far, and as `open` of the server does.
 */
export interface ServerHistory {
  /**
   * Who wrote when. A group is what somebody wrote without a pause of more than `pauseMs` (in milliseconds; default
   * five minutes); at most `limit` groups (default 100) of what is before number `before`.
   */
  timeline(
    name: string,
    query?: { readonly before?: number; readonly limit?: number; readonly pauseMs?: number },
  ): Promise<TimelinePage>
  /** A version as a Yjs update (v1). */
  update(name: string, when: When): Promise<Version>
  /**
   * A root of a version: as JSON, or text or XML as a string. Default: all roots, as JSON. Rejects with EDIT_CONFLICT
   * for a root of another kind, and with DOCUMENT_UNREADABLE, too.
   */
  read(
    name: string,
    when: When,
    what?: { readonly root?: string; readonly as?: Representation },
  ): Promise<{ readonly version: number; readonly content: Json }>
  /**
   * How a root has changed between two moments: splices (`{ index, delete?, insert? }`) of a text, or operations of a
   * JSON Patch (RFC 6902), each to what those before have made. Rejects as `read` does, and with REQUEST_INVALID where
   * `from` is the later one.
   */
  changes(
    name: string,
    from: When,
    to: When,
    what: { readonly root: string; readonly as: 'text' | 'json' },
  ): Promise<{ readonly from: number; readonly to: number; readonly changes: readonly Json[] }>
  /**
   * Makes of a document what it was, by a new edit: what others write meanwhile stays. Resolves once that is durable.
   * Rejects with DOCUMENT_FULL and DOCUMENT_UNREADABLE, too.
   * @param by whose edit it is in the history; default: nobody's
   */
  restore(name: string, when: When, by?: string): Promise<void>
  /**
   * Takes back what one author has written since a moment, in the same way. `claimed` is for a name that nothing but
   * the connection itself has said. To do it twice inserts twice what the author had deleted.
   */
  takeBack(
    name: string,
    what: { readonly author: string; readonly claimed?: boolean; readonly since: When },
    by?: string,
  ): Promise<void>
  /** Versions that have a name, by that. */
  versions(name: string): Promise<readonly Named[]>
  /**
   * Gives a version a name (default: what is there now), under which it stays when the history before it goes away;
   * 1,000 of a document may have one. Resolves with its number once that is durable. Rejects with VERSION_EXISTS or
   * VERSIONS_FULL, too.
   * @param by who names it; default: nobody
   */
  nameVersion(name: string, version: string, when?: When, by?: string): Promise<number>
  /** Takes a name away. */
  removeVersion(name: string, version: string): Promise<void>
}

const LIMIT = 100
const PAUSE_MS = 300_000

/** @param ready resolves when the storage is open */
export function serverHistory(past: Past, ready: () => Promise<void>): ServerHistory {
  return {
    async timeline(name, { before, limit = LIMIT, pauseMs = PAUSE_MS } = {}) {
      await ready()
      return past.timeline(name, { before, limit, pauseMs })
    },
    async update(name, when) {
      await ready()
      return past.open(name, momentOf(when))
    },
    async read(name, when, { root, as = 'json' } = {}) {
      await ready()
      const { version, body } = await past.read(name, momentOf(when), { root, as })
      return { version, content: as === 'json' ? JSON.parse(body) : body }
    },
    async changes(name, from, to, what) {
      await ready()
      const { changes, ...between } = await past.changes(name, momentOf(from), momentOf(to), what)
      return { ...between, changes: JSON.parse(changes) }
    },
    async restore(name, when, by) {
      await ready()
      await past.revert(name, { since: momentOf(when) }, authorOf(by))
    },
    async takeBack(name, { author, claimed = false, since }, by) {
      await ready()
      await past.revert(name, { since: momentOf(since), writer: { name: author, isClaimed: claimed } }, authorOf(by))
    },
    async versions(name) {
      await ready()
      return past.named(name)
    },
    async nameVersion(name, version, when, by) {
      await ready()
      return past.name(name, version, when === undefined ? undefined : momentOf(when), writerOf(by))
    },
    async removeVersion(name, version) {
      await ready()
      await past.unname(name, version)
    },
  }
}

function momentOf(when: When): Moment {
  if (typeof when === 'number') return { version: when }
  return when instanceof Date ? { time: when.getTime() } : when
}

/** The limits of a document are for those who come from outside. */
function authorOf(name: string | undefined): Author {
  return { isLimited: false, writer: writerOf(name) ?? undefined }
}

function writerOf(name: string | undefined): Writer | null {
  return name === undefined ? null : { name, isClaimed: false }
}
