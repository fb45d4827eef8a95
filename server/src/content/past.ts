import { CoeditError } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import { Serial } from '../common/serial.ts'
import type { Clock } from '../common/timing.ts'
import { writtenBy } from '../document/authors.ts'
import type { Documents } from '../document/documents.ts'
import type { History, Moment, Named, TimelineQuery, Version } from '../document/history.ts'
import type { Place } from '../document/in-process.ts'
import type { Author, WriteKey } from '../document/subscriber.ts'
import type { TimelinePage } from '../document/timeline.ts'
import { EMPTY_UPDATE, type Writer } from '../protocol/update/update.ts'
import { ContentThread } from './content-thread.ts'
import type { ContentRequest, ReadRequest, WatchedRoot } from './requests.ts'
import { submitAll } from './submitting.ts'

export interface PastContext {
  readonly clock: Clock
  readonly log: Log
  readonly documents: Documents
}

/** What is to be taken back: all that was written since a moment, or what this writer has written since then. */
export interface Revert {
  readonly since: Moment
  readonly writer?: Writer | undefined
}

/** How a root has changed between two versions. */
export interface Changes {
  readonly from: number
  readonly to: number
  /** In JSON: splices of a text or operations of a JSON Patch (RFC 6902), each to what those before have made. */
  readonly changes: string
}

/**
 * What documents were, as values, and how they become that again. Past versions are built in a thread of their own:
 * they hold up neither the event loop nor those who ask for what is there now.
 */
export class Past {
  readonly #documents: Documents
  readonly #history: History
  readonly #thread: ContentThread
  /** Each has much in memory, so that they follow each other. */
  readonly #turns = new Serial()

  constructor({ clock, log, documents }: PastContext) {
    this.#documents = documents
    this.#history = documents.history
    this.#thread = new ContentThread(clock, log)
  }

  /** Rejects as `History.timeline` does. */
  timeline(name: string, query: TimelineQuery): Promise<TimelinePage> {
    return this.#history.timeline(name, query)
  }

  /** Rejects as `History.open` does. */
  open(name: string, moment: Moment): Promise<Version> {
    return this.#turns.run(() => this.#history.open(name, moment))
  }

  /** Rejects as `History.named` does. */
  named(name: string): Promise<readonly Named[]> {
    return this.#history.named(name)
  }

  /** Resolves with the number of the version. Rejects as `History.name` does. */
  name(document: string, name: string, moment: Moment | undefined, by: Writer | null): Promise<number> {
    return this.#turns.run(() => this.#history.name(document, name, moment, by))
  }

  /** Rejects as `History.unname` does. */
  unname(document: string, name: string): Promise<void> {
    return this.#history.unname(document, name)
  }

  /**
   * A version as JSON or text. Rejects as `History.open` does, and with EDIT_CONFLICT, DOCUMENT_UNREADABLE,
   * SERVER_CLOSED.
   */
  read(name: string, moment: Moment, request: Omit<ReadRequest, 'kind'>) {
    return this.#turns.run(async () => {
      const { version, update } = await this.#history.open(name, moment)
      const updates = [{ update, position: version }]
      const { result } = await this.#thread.runOnce(name, { kind: 'read', ...request }, updates)
      return { version, body: result.kind === 'read' ? result.body : '' }
    })
  }

  /**
   * How a root has changed from one moment to a later one. Rejects as `read` does, and with REQUEST_INVALID for an
   * earlier one.
   */
  changes(name: string, from: Moment, to: Moment, root: WatchedRoot): Promise<Changes> {
    return this.#turns.run(() => this.#changes(name, from, to, root))
  }

  /**
   * Takes back what was written since a moment, by a new edit: what others write meanwhile stays. Resolves once it is
   * durable. Rejects as `read` does, and with DOCUMENT_FULL, STORAGE_CLOSED, and as `Documents.join` does.
   */
  async revert(name: string, { since, writer }: Revert, author: Author, key?: WriteKey): Promise<Place> {
    const { result } = await this.#turns.run(async () =>
      this.#thread.runOnce(name, await this.#revertOf(name, since, writer)),
    )
    const update = (result.kind === 'edit' && result.update) || EMPTY_UPDATE
    return submitAll(this.#documents, name, [update], author, key)
  }

  async close(): Promise<void> {
    await this.#thread.close()
  }

  async #changes(name: string, from: Moment, to: Moment, root: WatchedRoot): Promise<Changes> {
    const stretch = await this.#history.between(name, from, to)
    const { version, update } = stretch.from
    const updates = [{ update, position: version }]
    if (stretch.to > version) updates.push({ update: stretch.update, position: stretch.to })
    // The watch tells what is asked for; a request has to be there all the same.
    const request = { kind: 'read', root: '', as: 'json' } as const
    const { news } = await this.#thread.runOnce(name, request, updates, [{ id: 1, ...root, fromSnapshot: true }])
    const [found] = news
    if (found?.isUnfit) throw new CoeditError('EDIT_CONFLICT', `'${root.root}' is no ${root.as}: ask for json`)
    return { from: version, to: stretch.to, changes: found?.steps[0]?.changes ?? '[]' }
  }

  async #revertOf(name: string, moment: Moment, writer: Writer | undefined): Promise<ContentRequest> {
    if (writer) {
      const { from, update: since, entries } = await this.#history.between(name, moment)
      return { kind: 'revert', before: from.update, since, undone: writtenBy(writer, entries) }
    }
    const { update: before } = await this.#history.open(name, moment)
    const { update: since } = await this.#documents.inProcess.readDifference(name)
    return { kind: 'revert', before, since, undone: undefined }
  }
}
