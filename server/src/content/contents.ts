import type { Place } from '../document/in-process.ts'
import type { Author, WriteKey } from '../document/subscriber.ts'
import { EMPTY_UPDATE, type Writer } from '../protocol/update/update.ts'
import { ContentThread } from './content-thread.ts'
import { type ContentsContext, OpenContent, type ReadContent, type Watcher, type Watching } from './open-content.ts'
import type { EditRequest, LocateRequest, NewRoots, ReadRequest, WatchedRoot } from './requests.ts'
import { submitAll } from './submitting.ts'

export type { Watching }

/** An update that is larger is cut in a worker, since to take it would hold up everybody. */
const MAX_INLINE_BYTES = 64 * 1024

export interface EditContent extends Omit<EditRequest, 'kind' | 'seen'> {
  /** Where whoever asks has read what is to be edited; undefined where what is there now is meant. */
  readonly seen: Place | undefined
}

/**
 * The content of documents as values, for those who have no Yjs: read, and edited like by anybody else. A Y.Doc costs what
 * clients make it cost, so that those are in a thread of their own, for as long as somebody asks for them.
 */
export class Contents {
  readonly #context: ContentsContext
  readonly #thread: ContentThread
  readonly #open = new Map<string, OpenContent>()

  constructor(context: ContentsContext) {
    this.#context = context
    const { clock, log } = context
    this.#thread = new ContentThread(clock, log, new ContentThread(clock, log))
  }

  /** What is durable. Rejects with DOCUMENT_MISSING, EDIT_CONFLICT, DOCUMENT_UNREADABLE, and as `Documents.join` does. */
  read(document: string, request: Omit<ReadRequest, 'kind'>): Promise<ReadContent> {
    return this.#of(document).read({ kind: 'read', ...request })
  }

  /** Indexes in a text as relative positions of Yjs, in JSON. Rejects as `read` does. */
  async locate(document: string, request: Omit<LocateRequest, 'kind'>): Promise<string> {
    return (await this.#of(document).read({ kind: 'locate', ...request })).body
  }

  /**
   * Tells how a root changes from here on, or from its snapshot on where it is not open yet and `fromSnapshot` is set. What is
   * read after the call stands at or behind the beginning.
   */
  watch(document: string, root: WatchedRoot, watcher: Watcher, fromSnapshot: boolean): Watching {
    return this.#of(document).watch(root, watcher, fromSnapshot)
  }

  /**
   * Edits a document; a missing one is made. Resolves once the edit is durable. Rejects with EDIT_CONFLICT, EDIT_OUTDATED,
   * BODY_INVALID, DOCUMENT_FULL, DOCUMENT_UNREADABLE, STORAGE_CLOSED, and as `Documents.join` does.
   */
  edit(document: string, { seen, ...request }: EditContent, author: Author, key?: WriteKey): Promise<Place> {
    const edit = { kind: 'edit', ...request, seen: seen?.position } as const
    return this.#of(document).edit(edit, { author, key, seen: seen?.incarnation })
  }

  /**
   * Takes a Yjs update (v1); a missing document is made. Resolves once it is durable. Rejects with UPDATE_MALFORMED,
   * UPDATE_TOO_DEEP, UPDATE_INCOMPLETE, DOCUMENT_FULL, STORAGE_CLOSED, and as `Documents.join` does; of one that was cut
   * the parts before may be durable then.
   */
  async submit(document: string, update: Uint8Array, author: Author, key?: WriteKey): Promise<Place> {
    const pieces =
      update.length > MAX_INLINE_BYTES
        ? await this.#context.workers.split({ update, maxBytes: MAX_INLINE_BYTES })
        : [update]
    return submitAll(this.#context.documents, document, pieces, author, key)
  }

  /**
   * Makes a document, also one that was deleted, of a whole Yjs update (v1) or of values. Resolves once it is durable.
   * Rejects with DOCUMENT_EXISTS, UPDATE_MALFORMED, BODY_INVALID, DOCUMENT_UNREADABLE, and as `Documents.create` does.
   */
  async create(document: string, content: Uint8Array | NewRoots, writer?: Writer, key?: WriteKey): Promise<Place> {
    const update = content instanceof Uint8Array ? content : await this.#updateOf(document, content)
    return this.#context.documents.inProcess.create(document, update, writer, key)
  }

  /** A document of these values. */
  async #updateOf(document: string, roots: NewRoots): Promise<Uint8Array> {
    // No document has such a name.
    const name = `\0${document}`
    const request = { kind: 'edit', root: '', seen: undefined, changes: { as: 'roots', roots } } as const
    // One that was deleted may have been written under the present one.
    this.#thread.renewClientId()
    const { result } = await this.#thread.runOnce(name, request)
    return (result.kind === 'edit' && result.update) || EMPTY_UPDATE
  }

  async close(): Promise<void> {
    for (const content of [...this.#open.values()]) content.release()
    await this.#thread.close()
  }

  #of(document: string): OpenContent {
    const open = this.#open.get(document)
    if (open) return open
    const content = new OpenContent(document, this.#context, this.#thread, () => this.#open.delete(document))
    this.#open.set(document, content)
    return content
  }
}
