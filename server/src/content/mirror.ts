import * as Y from 'yjs'
import { keepFormatting } from '../document/keep-formatting.ts'
import { applyOperation } from './json-patch.ts'
import { mergeInto } from './merge-patch.ts'
import { RecentChanges } from './recent-changes.ts'
import { conflict, outdated } from './refused.ts'
import type {
  ContentRequest,
  ContentResult,
  EditRequest,
  LocateRequest,
  PositionedUpdate,
  ReadRequest,
  WatchNews,
} from './requests.ts'
import { Roots } from './roots.ts'
import { editText } from './text.ts'
import { PRESENT, type View } from './view.ts'
import { Watches } from './watches.ts'

/** A document as a Y.Doc, in step with the log, for those who want to read and to write values. */
export class Mirror {
  readonly #doc = new Y.Doc()
  readonly #roots = new Roots(this.#doc)
  /** The roots whose changes are told. */
  readonly watches = new Watches(this.#roots)
  #past: RecentChanges | undefined
  /** Whether the past goes back as far as the log does. */
  #isPastWhole = false
  #position = 0
  /** Up to which clock the log has to bring what was written here; undefined where it has brought all of that. */
  #ownClock: number | undefined
  /** Whether a request that was refused has left something behind. */
  #isSpoilt = false

  /** @param clientId under which it writes */
  constructor(clientId: number) {
    this.#doc.clientID = clientId
  }

  /** Whether what an edit has seen is known, or is not in the log either; else the document has to be brought anew. */
  knows(request: ContentRequest): boolean {
    if (request.kind !== 'edit' || request.seen === undefined || request.seen < 0) return true
    return this.#isPastWhole || this.#isAt(request.seen) || (this.#past?.knows(request.seen) ?? false)
  }

  get isSpoilt(): boolean {
    return this.#isSpoilt
  }

  /**
   * Takes in what the log brings, and tells what it has changed in the roots that are watched.
   * @param isWhole whether it is all of a document: the snapshot, then each entry
   * @param remembers whether somebody asks for what was seen earlier
   * @throws what Yjs throws on content that is too much for it
   */
  apply(updates: readonly PositionedUpdate[], isWhole: boolean, remembers = false): readonly WatchNews[] {
    this.#isPastWhole ||= isWhole && remembers
    this.#doc.on('beforeObserverCalls', keepFormatting)
    for (const { update, position } of updates) {
      Y.applyUpdate(this.#doc, update)
      this.#position = position ?? this.#position
      this.#reached(update)
      if (this.#isPastWhole && position !== undefined) this.#remember()
      if (position !== undefined) this.#mark()
      if (isWhole && position !== undefined) this.watches.pass(position)
    }
    this.#doc.off('beforeObserverCalls', keepFormatting)
    // What was written here is in the log before the next updates are.
    this.#ownClock = undefined
    this.#mark()
    return this.watches.arrive(this.#position)
  }

  read({ root, as }: ReadRequest): ContentResult {
    this.#remember()
    return { ok: true, kind: 'read', body: this.#represent(root, as) }
  }

  /** As JSON; indexes behind the end of a text are its end. */
  locate({ root, indexes }: LocateRequest): ContentResult {
    const text = this.#roots.text(root)
    const positions = indexes.map((index) =>
      Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, Math.min(index, text.length))),
    )
    return { ok: true, kind: 'read', body: JSON.stringify(positions) }
  }

  edit(request: EditRequest): ContentResult {
    const updates: Uint8Array[] = []
    const before = Y.getState(this.#doc.store, this.#doc.clientID)
    const keep = (update: Uint8Array) => updates.push(update)
    this.#doc.on('update', keep)
    try {
      this.#doc.transact(() => this.#change(request))
    } catch (error) {
      // Yjs takes nothing back.
      this.#isSpoilt = updates.length > 0
      throw error
    } finally {
      this.#doc.off('update', keep)
    }
    if (updates.length === 0) return { ok: true, kind: 'edit', update: null }
    const clock = Y.getState(this.#doc.store, this.#doc.clientID)
    // What only deletes cannot be told from what others delete.
    this.#ownClock = Math.max(this.#ownClock ?? 0, clock > before ? clock : Number.POSITIVE_INFINITY)
    return { ok: true, kind: 'edit', update: Y.mergeUpdates(updates) }
  }

  destroy(): void {
    this.#doc.destroy()
  }

  #represent(root: string | undefined, as: ReadRequest['as']): string {
    if (as === 'json') {
      if (root !== undefined) return JSON.stringify(this.#roots.json(root))
      return JSON.stringify(Object.fromEntries(this.#roots.names.map((name) => [name, this.#roots.json(name)])))
    }
    if (root === undefined) throw conflict(`as ${as} there is one root: name it by root=`)
    const kind = this.#roots.kindOf(root)
    const expected = as === 'text' ? 'text' : 'xml'
    if (kind !== undefined && kind !== expected) {
      throw conflict(
        `'${root}' is of the kind ${kind}: read it as ${kind === 'text' || kind === 'xml' ? kind : 'json'}`,
      )
    }
    return String(this.#roots.find(root) ?? '')
  }

  #change({ root, seen, changes }: EditRequest): void {
    const view = this.#viewAt(seen)
    switch (changes.as) {
      case 'text-edits':
        editText(this.#roots.text(root), changes.edits, view)
        break
      case 'merge-patch':
        mergeInto(this.#roots.map(root), changes.patch, view)
        break
      case 'roots':
        for (const [name, value] of Object.entries(changes.roots)) this.#roots.fill(name, value)
        break
      case 'json-patch':
        for (const operation of changes.operations) {
          applyOperation({ roots: this.#roots, view }, operation.root ?? root, operation)
        }
    }
  }

  /** @throws Refused EDIT_OUTDATED where that is not known */
  #viewAt(seen: number | undefined): View {
    if (seen === undefined || this.#isAt(seen)) return PRESENT
    if (!this.#past) throw outdated('nobody knows what has changed since then')
    return this.#past.viewAt(seen)
  }

  #isAt(position: number): boolean {
    return position === this.#position && this.#ownClock === undefined
  }

  #remember(): void {
    if (!this.#past && this.#ownClock === undefined) this.#past = new RecentChanges(this.#doc, this.#position)
  }

  /** Entries of others come after own ones here that are behind them in the log, where the document is not like this. */
  #mark(): void {
    if (this.#ownClock === undefined) this.#past?.mark(this.#position)
  }

  /** Whether the log has brought all that was written here. */
  #reached(update: Uint8Array): void {
    if (this.#ownClock === undefined) return
    const end = Y.parseUpdateMeta(update).to.get(this.#doc.clientID) ?? 0
    if (end >= this.#ownClock) this.#ownClock = undefined
  }
}
