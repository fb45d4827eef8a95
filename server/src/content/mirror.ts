import * as Y from 'yjs'
import { applyOperation } from './json-patch.ts'
import { keepFormatting } from './keep-formatting.ts'
import { mergeInto } from './merge-patch.ts'
import { conflict, Refused } from './refused.ts'
import type { ContentResult, EditRequest, LocateRequest, PositionedUpdate, ReadRequest, WatchNews } from './requests.ts'
import { Roots } from './roots.ts'
import { editText } from './text.ts'
import { TextHistory } from './text-history.ts'
import { Watches } from './watches.ts'

/** A document as a Y.Doc, in step with the log, for those who want to read and to write values. */
export class Mirror {
  readonly #doc = new Y.Doc()
  readonly #roots = new Roots(this.#doc)
  /** The roots whose changes are told. */
  readonly watches = new Watches(this.#roots)
  readonly #histories = new Map<string, TextHistory>()
  #position = 0
  /** Whether it holds edits that the log has not brought yet. */
  #isAhead = false
  /** Whether a request that was refused has left something behind. */
  #isSpoilt = false

  /** @param clientId under which it writes */
  constructor(clientId: number) {
    this.#doc.clientID = clientId
  }

  get isSpoilt(): boolean {
    return this.#isSpoilt
  }

  /**
   * Takes in what the log brings, and tells what it has changed in the roots that are watched.
   * @param isWhole whether it is all of a document: the snapshot, then each entry
   * @throws what Yjs throws on content that is too much for it
   */
  apply(updates: readonly PositionedUpdate[], isWhole: boolean): readonly WatchNews[] {
    this.#doc.on('beforeObserverCalls', keepFormatting)
    for (const { update, position } of updates) {
      Y.applyUpdate(this.#doc, update)
      this.#position = position ?? this.#position
      // Entries of others come after own ones here that are behind them in the log, where texts are not like this.
      if (!this.#isAhead) this.#mark()
      if (isWhole && position !== undefined) this.watches.pass(position)
    }
    this.#doc.off('beforeObserverCalls', keepFormatting)
    // What was written here is in the log before the next updates are.
    this.#isAhead = false
    this.#mark()
    return this.watches.arrive(this.#position)
  }

  read({ root, as }: ReadRequest): ContentResult {
    if (root !== undefined) this.#historyOf(root)
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
    this.#isAhead = true
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
    if (changes.as === 'text-edits') {
      const text = this.#roots.text(root)
      editText(text, changes.edits, this.#historyOf(root) ?? new TextHistory(text, this.#position), seen)
      return
    }
    if (seen !== undefined && (seen !== this.#position || this.#isAhead)) {
      throw new Refused('EDIT_OUTDATED', 'the document has changed since then: read it again')
    }
    if (changes.as === 'merge-patch') {
      mergeInto(this.#roots.map(root), changes.patch)
      return
    }
    if (changes.as === 'roots') {
      for (const [name, value] of Object.entries(changes.roots)) this.#roots.fill(name, value)
      return
    }
    for (const operation of changes.operations) applyOperation(this.#roots, operation.root ?? root, operation)
  }

  /** Undefined for what is no text. */
  #historyOf(root: string): TextHistory | undefined {
    const known = this.#histories.get(root)
    if (known || this.#roots.kindOf(root) !== 'text' || this.#isAhead) return known
    const history = new TextHistory(this.#roots.text(root), this.#position)
    this.#histories.set(root, history)
    return history
  }

  #mark(): void {
    for (const history of this.#histories.values()) history.mark(this.#position)
  }
}
