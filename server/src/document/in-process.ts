import { setImmediate as nextTurn } from 'node:timers/promises'
import type * as Y from 'yjs'
import { CoeditError, missingError } from '../common/errors.ts'
import { normalizeLineEnds } from '../common/line-ends.ts'
import { Serial } from '../common/serial.ts'
import type { Config } from '../config/config.ts'
import type { HookCalls } from '../hooks/calls.ts'
import type { Seed } from '../hooks/hooks.ts'
import {
  EMPTY_UPDATE,
  KnownState,
  mergeEntries,
  scanUpdate,
  splitUpdate,
  takeNews,
  type Writer,
} from '../protocol/update/update.ts'
import { checkName } from '../protocol/wire/document-name.ts'
import type { Cursor, CursorOptions } from './cursor.ts'
import type { Document } from './document.ts'
import { keepFormatting } from './keep-formatting.ts'
import type { Author, WriteKey } from './subscriber.ts'

/** The copy of Yjs that the code around the server has, as ECMAScript or as CommonJS modules. */
export type Yjs = typeof Y

/** A place in the log of a document. */
export interface Place {
  readonly incarnation: number
  readonly position: number
}

/** An update, and the place in the log that it brings a reader to. */
export interface Difference extends Place {
  readonly update: Uint8Array<ArrayBuffer>
}

/** Where documents come from. */
export interface DocumentSource {
  /** A cursor on a document, which is loaded first where it is not in memory. */
  visit(name: string): Promise<Cursor>
  /** A cursor on a document that is in memory. */
  follow(document: Document, options?: CursorOptions): Cursor
  /** Makes one that is not there of an update. */
  create(name: string, update: Uint8Array, author: Author, key?: WriteKey): Promise<Place>
  delete(name: string, key?: WriteKey): Promise<void>
}

/** The author of edits by the code around the server, which are shown to all. */
const APP: Author = { isLimited: false }

/**
 * Documents for the code around the server. A Y.Doc is built for each call and kept by nobody: an open document costs
 * its encoded size, whoever has edited it.
 */
export class InProcess {
  readonly #documents: DocumentSource
  readonly #config: Pick<Config, 'chunkBytes' | 'maxNameBytes' | 'normalizeLineEnds'>
  readonly #yjs: Yjs
  readonly #edits = new WeakMap<Document, Serial>()
  /** The client id of all edits, so that a document does not grow by one with each of them. */
  #clientId: number | undefined

  constructor(
    documents: DocumentSource,
    config: Pick<Config, 'chunkBytes' | 'maxNameBytes' | 'normalizeLineEnds'>,
    yjs: Yjs,
  ) {
    this.#documents = documents
    this.#config = config
    this.#yjs = yjs
  }

  /**
   * Edits a document, after the edits of it that were asked for before; resolves with what `change` returns when the
   * edit is durable. When it throws nothing has changed.
   * @param author who need not be told of the edit
   * @throws CoeditError DOCUMENT_NAME, EDIT_ASYNC, UPDATE_TOO_DEEP, YJS_FOREIGN, DOCUMENT_UNREADABLE, HOOK_FAILED,
   *   STORAGE_CLOSED, SERVER_CLOSED
   */
  edit<T>(name: string, change: (doc: Y.Doc) => T, author = APP): Promise<T> {
    return this.#visit(name, (cursor) => this.#serialOf(cursor.document).run(() => this.#edit(cursor, change, author)))
  }

  /**
   * The durable content of a document.
   * @throws CoeditError DOCUMENT_MISSING, DOCUMENT_UNREADABLE, HOOK_FAILED, SERVER_CLOSED
   */
  read(name: string): Promise<Y.Doc> {
    return this.#visit(name, (cursor) => this.#build(existing(cursor)))
  }

  /**
   * The durable content as one update, made by copying: linear in its size whatever is in it.
   * @throws CoeditError DOCUMENT_MISSING, HOOK_FAILED, SERVER_CLOSED
   */
  readUpdate(name: string): Promise<Uint8Array<ArrayBuffer>> {
    return this.readDifference(name).then(({ update }) => update)
  }

  /**
   * The same of what somebody with a state vector lacks, and where in the log it ends.
   * @throws CoeditError MESSAGE_MALFORMED where that is none, and as `readUpdate`
   */
  readDifference(name: string, stateVector?: Uint8Array): Promise<Difference> {
    return this.#visit(name, async (cursor) => {
      const { incarnation } = existing(cursor).document
      await (stateVector ? cursor.answer(stateVector) : cursor.read())
      const pieces = cursor.restInClosedOrder()
      // This copies, since a single piece is the memory that clients are sent.
      const update = new Uint8Array(mergeEntries(pieces.map((piece) => piece.update)))
      for (const { letGo } of pieces) letGo?.()
      return { update, incarnation, position: cursor.position ?? 0 }
    })
  }

  /**
   * Makes a document, also one that was deleted. Resolves when that is durable.
   * @param seed default: no content
   * @param writer who makes it, where that is known
   * @throws CoeditError DOCUMENT_NAME, DOCUMENT_EXISTS, UPDATE_MALFORMED, EDIT_ASYNC, YJS_FOREIGN, STORAGE_CLOSED, SERVER_CLOSED
   */
  async create(name: string, seed: Seed = EMPTY_UPDATE, writer?: Writer, key?: WriteKey): Promise<Place> {
    checkName(name, this.#config.maxNameBytes)
    return this.#documents.create(name, this.#updateOf(seed), { ...APP, writer }, key)
  }

  /**
   * Deletes a document. Resolves when that is durable.
   * @throws CoeditError DOCUMENT_NAME, DOCUMENT_MISSING, GONE, STORAGE_CLOSED
   */
  async delete(name: string, key?: WriteKey): Promise<void> {
    checkName(name, this.#config.maxNameBytes)
    return this.#documents.delete(name, key)
  }

  /**
   * Has the hook `load` fill a document that was never written, before anybody else sees it.
   * @throws CoeditError HOOK_FAILED, STORAGE_CLOSED
   */
  async seed(document: Document, hooks: HookCalls): Promise<void> {
    const update = await hooks.load(document.name, (seed) => this.#updateOf(seed))
    if (update) await this.plant(document, update, APP, 'first')
  }

  /**
   * Has a document that was never written, or was deleted, begin with an update. Rejects with STORAGE_CLOSED where another
   * server has written to it first.
   */
  async plant(
    document: Document,
    update: Uint8Array,
    author: Author,
    seeding: 'first' | 'anew',
    key?: WriteKey,
  ): Promise<void> {
    const cursor = this.#documents.follow(document)
    try {
      await document.seed(update, author, seeding, key)
    } finally {
      cursor.release()
    }
  }

  async #visit<T>(name: string, body: (cursor: Cursor) => Promise<T>): Promise<T> {
    checkName(name, this.#config.maxNameBytes)
    const cursor = await this.#documents.visit(name)
    try {
      return await body(cursor)
    } finally {
      cursor.release()
    }
  }

  async #edit<T>(cursor: Cursor, change: (doc: Y.Doc) => T, author: Author): Promise<T> {
    const { document } = cursor
    const doc = await this.#build(cursor)
    this.#identify(doc, document)
    const { updates, result } = this.#changed(doc, change)
    // This is one commit, so it is stored whole or not at all.
    if (updates.length > 0) await document.submit(this.#yjs.mergeUpdates(updates), author).durable
    return result
  }

  /** Builds the document piece by piece, so that a large one holds up nobody for longer than its largest piece takes. */
  async #build(cursor: Cursor): Promise<Y.Doc> {
    const doc = new this.#yjs.Doc()
    doc.on('beforeObserverCalls', keepFormatting)
    for (cursor.seek(0); cursor.isBehind; ) {
      await cursor.read()
      for (const { update } of cursor.restInClosedOrder()) {
        for (const part of splitUpdate(update, this.#config.chunkBytes)) {
          this.#apply(doc, part, cursor.document.name)
          await nextTurn()
        }
      }
    }
    doc.off('beforeObserverCalls', keepFormatting)
    return doc
  }

  /**
   * Goes on under the client id of the last edit, unless somebody else has written under it what this copy has not: of
   * two structs with the same id only one would stay.
   */
  #identify(doc: Y.Doc, document: Document): void {
    // What it wrote before a document was deleted counts as old there.
    if (this.#clientId === undefined || document.formerClients.has(this.#clientId)) this.#clientId = doc.clientID
    const known = document.clocks.get(this.#clientId) ?? 0
    if (this.#yjs.getState(doc.store, this.#clientId) === known) doc.clientID = this.#clientId
  }

  /** Content of hostile clients can be well-formed and still too much for Yjs. */
  #apply(doc: Y.Doc, update: Uint8Array, name: string): void {
    try {
      this.#yjs.applyUpdate(doc, update)
    } catch (cause) {
      throw new CoeditError('DOCUMENT_UNREADABLE', `Yjs cannot integrate what is in '${name}'`, { cause })
    }
  }

  #changed<T>(doc: Y.Doc, change: (doc: Y.Doc) => T): { updates: Uint8Array[]; result: T } {
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    const result = doc.transact((transaction) => {
      const result = runWithOurTypes(doc, change)
      this.#refuseForeignEmbeds(transaction)
      if (this.#config.normalizeLineEnds) normalizeLineEnds(this.#yjs, doc, transaction.beforeState)
      return result
    })
    if (!(result instanceof Promise)) return { updates, result }
    result.catch(() => undefined) // whatever it comes to, it is refused here
    throw new CoeditError('EDIT_ASYNC', 'the function that edits returned a promise: what it did later would be lost')
  }

  /** Yjs itself refuses foreign types everywhere else; of one that is embedded in a text only `{}` would stay. */
  #refuseForeignEmbeds({ doc, beforeState }: Y.Transaction): void {
    const { ContentEmbed, Item } = this.#yjs
    const before = beforeState.get(doc.clientID) ?? 0
    for (const struct of doc.store.clients.get(doc.clientID)?.toReversed() ?? []) {
      if (struct.id.clock < before) return
      const content = struct instanceof Item && struct.content
      if (content instanceof ContentEmbed && typeof Object(content.embed).observeDeep === 'function') throw foreign()
    }
  }

  /** @throws CoeditError UPDATE_MALFORMED where it is not a whole document, YJS_FOREIGN, EDIT_ASYNC */
  #updateOf(seed: Seed): Uint8Array {
    if (seed instanceof Uint8Array && !this.#config.normalizeLineEnds) return whole(seed)
    const doc = new this.#yjs.Doc()
    if (seed instanceof Uint8Array) {
      this.#yjs.applyUpdate(doc, whole(seed))
      doc.transact(() => normalizeLineEnds(this.#yjs, doc, new Map()))
    } else {
      this.#changed(doc, seed)
    }
    return this.#yjs.encodeStateAsUpdate(doc)
  }

  #serialOf(document: Document): Serial {
    const serial = this.#edits.get(document) ?? new Serial()
    this.#edits.set(document, serial)
    return serial
  }
}

function existing(cursor: Cursor): Cursor {
  const { head, name } = cursor.document
  if (head > 0) return cursor
  throw missingError(name)
}

/** Yjs knows its own types by their class, which is another one in each copy of it. */
function runWithOurTypes<T>(doc: Y.Doc, change: (doc: Y.Doc) => T): T {
  try {
    return change(doc)
  } catch (cause) {
    if (cause instanceof Error && cause.message.startsWith('Unexpected content type')) throw foreign(cause)
    throw cause
  }
}

function foreign(cause?: Error): CoeditError {
  const reason = 'what was put into the document is neither JSON nor a type of the same copy of Yjs'
  return new CoeditError('YJS_FOREIGN', `${reason}: make types by Y of @coedit/server`, { cause })
}

function whole(update: Uint8Array): Uint8Array {
  if (takeNews(scanUpdate(update), new KnownState()).complete) return update
  throw new CoeditError('UPDATE_MALFORMED', 'the update builds on something that is not in it')
}
