import * as Y from 'yjs'
import { outdated } from './refused.ts'
import { fates } from './root-watch.ts'
import {
  gapOf,
  placeOf,
  type Run,
  type Runs,
  rangesOf,
  seenAtEnd,
  through,
  UNMOVED,
  withInserted,
  withRemoved,
} from './runs.ts'
import type { InsertedAt, Sequence, Shared, View } from './view.ts'

/** How much is kept of changes, in runs and keys; whoever has seen what was before those has to read the document again. */
const MAX_KEPT = 50_000

/** Log positions that are kept. */
const MAX_MARKS = 20_000

/** Any shared type, whatever its events are. */
type AnyType = Parameters<typeof Y.findRootTypeKey>[0]

/** What a transaction has changed in one shared type. */
interface Change {
  /** The type, or what stands for a root, whose type may become another object. */
  readonly id: object
  /** The same of the root that it is in. */
  readonly root: object
  readonly keys: readonly string[]
  /** Undefined where no sequence has changed. */
  readonly runs: Runs | undefined
}

/** What has changed in a document of late, so that what was seen before is found again. */
export class RecentChanges {
  readonly #roots = new Map<string, object>()
  #changes: Change[] = []
  #kept = 0
  /** How many changes came before those. */
  #forgotten = 0
  /** How many changes had come at a log position. */
  readonly #marks = new Map<number, number>()

  /** @param position at which the document is as it is */
  constructor(doc: Y.Doc, position: number) {
    doc.on('afterTransaction', (transaction: Y.Transaction) => this.#note(transaction))
    this.mark(position)
  }

  /** The document is as it is at this log position. */
  mark(position: number): void {
    this.#marks.delete(position)
    this.#marks.set(position, this.#forgotten + this.#changes.length)
    for (const oldest of this.#marks.keys()) {
      if (this.#marks.size <= MAX_MARKS) break
      this.#marks.delete(oldest)
    }
  }

  knows(position: number): boolean {
    return this.#numberAt(position) !== undefined
  }

  /**
   * The document as it was at a log position.
   * @throws Refused EDIT_OUTDATED where that is not known any more
   */
  viewAt(position: number): View {
    const number = this.#numberAt(position)
    if (number === undefined) throw outdated('nobody knows what has changed since then')
    return new EarlierView(this.#changes.slice(number - this.#forgotten), (type) => this.#idOf(type))
  }

  #numberAt(position: number): number | undefined {
    const number = this.#marks.get(position)
    return number !== undefined && number >= this.#forgotten ? number : undefined
  }

  #note(transaction: Y.Transaction): void {
    for (const [type, names] of transaction.changed) {
      const keys = [...names].filter((name) => name !== null).map(String)
      const runs = names.has(null) ? runsOf(type, new Y.YEvent(type, transaction)) : undefined
      this.#changes.push({ id: this.#idOf(type), root: this.#idOf(rootOf(type)), keys, runs })
      this.#kept += sizeOf(keys, runs)
    }
    while (this.#kept > MAX_KEPT) this.#forgetOldest()
  }

  #forgetOldest(): void {
    const half = this.#changes.splice(0, Math.ceil(this.#changes.length / 2))
    this.#forgotten += half.length
    for (const { keys, runs } of half) this.#kept -= sizeOf(keys, runs)
  }

  #idOf(type: AnyType): object {
    if (type._item !== null) return type
    const name = Y.findRootTypeKey(type)
    const id = this.#roots.get(name) ?? {}
    this.#roots.set(name, id)
    return id
  }
}

class EarlierView implements View {
  readonly #idOf: (type: Shared) => object
  readonly #runs = new Map<object, Runs>()
  readonly #keys = new Map<object, Set<string>>()
  readonly #roots = new Set<object>()
  readonly #inside = new Set<object>()

  constructor(changes: readonly Change[], idOf: (type: Shared) => object) {
    this.#idOf = idOf
    const ofSequences = new Map<object, Runs[]>()
    for (const { id, root, keys, runs } of changes) {
      this.#roots.add(root)
      this.#inside.add(id)
      const changedKeys = this.#keys.get(id) ?? new Set()
      for (const key of keys) this.#keys.set(id, changedKeys.add(key))
      const ofSequence = ofSequences.get(id) ?? []
      if (runs) ofSequences.set(id, ofSequence)
      if (runs) ofSequence.push(runs)
    }
    for (const [id, runs] of ofSequences) this.#runs.set(id, through(runs))
  }

  element(array: Y.Array<unknown>, index: number): number {
    const place = placeOf(this.#runsOf(array), index)
    if (place === undefined) throw outdated(`what was at ${index} is gone`)
    return place
  }

  gap(sequence: Sequence, index: number): number {
    return gapOf(this.#runsOf(sequence), index)
  }

  ranges(sequence: Sequence, index: number, length: number) {
    return rangesOf(this.#runsOf(sequence), index, length)
  }

  expectKey(map: Y.Map<unknown>, key: string): void {
    if (this.#keys.get(this.#idOf(map))?.has(key)) throw outdated(`somebody else has changed '${key}' since then`)
  }

  expectWhole(type: Shared): void {
    const id = this.#idOf(type)
    if (this.#roots.has(id) || this.#inside.has(id)) throw outdated('somebody else has changed it since then')
  }

  inserted(array: Y.Array<unknown>, { seen, is }: InsertedAt): void {
    const runs = this.#runsOf(array)
    this.#runs.set(this.#idOf(array), withInserted(runs, seen ?? seenAtEnd(runs, is), is))
  }

  removed(array: Y.Array<unknown>, seen: number): void {
    this.#runs.set(this.#idOf(array), withRemoved(this.#runsOf(array), seen))
  }

  wrote(map: Y.Map<unknown>, key: string): void {
    this.#keys.get(this.#idOf(map))?.delete(key)
  }

  #runsOf(type: Sequence): Runs {
    return this.#runs.get(this.#idOf(type)) ?? UNMOVED
  }
}

/** What a transaction has moved in a sequence; to be called before it collects its garbage. */
function runsOf(type: Parameters<typeof fates>[0], event: Y.YEvent<AnyType>): Runs {
  const runs: Run[] = []
  let [was, is, length] = [0, 0, 0]
  const end = (rest: number) => {
    if (length + rest > 0) runs.push({ was: was - length, is: is - length, length: length + rest })
    length = 0
  }
  for (const [item, fate] of fates(type, event)) {
    // Formatting takes no place.
    if (!item.countable) continue
    if (fate !== 'kept') end(0)
    if (fate === 'kept') length += item.length
    if (fate !== 'new') was += item.length
    if (fate !== 'gone') is += item.length
  }
  end(Number.POSITIVE_INFINITY)
  return runs
}

function rootOf(type: AnyType): AnyType {
  let root = type
  for (let item = root._item; item?.parent instanceof Y.AbstractType; item = root._item) root = item.parent
  return root
}

function sizeOf(keys: readonly string[], runs: Runs | undefined): number {
  return 1 + keys.length + (runs?.length ?? 0)
}
