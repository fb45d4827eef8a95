import type * as Y from 'yjs'

/** What notes the changes of one root. */
export interface RootWatch {
  /** Whether the root is of a kind that has no such changes. */
  readonly isUnfit: boolean
  /** What has changed since the last call. */
  take(): readonly unknown[]
  end(): void
}

/** What has become of an item in a transaction: it is new, gone, or was there before and still is. */
export type Fate = 'new' | 'gone' | 'kept'

/** The items of a sequence with what has become of them, without those that nobody saw before or sees now. */
export function* fates(
  { _start }: Pick<Y.Text, '_start'>,
  event: Pick<Y.YTextEvent, 'adds' | 'deletes'>,
): Generator<readonly [Y.Item, Fate]> {
  for (let item = _start; item; item = item.right) {
    const isNew = event.adds(item)
    if (!item.deleted) yield [item, isNew ? 'new' : 'kept']
    else if (!isNew && event.deletes(item)) yield [item, 'gone']
  }
}
