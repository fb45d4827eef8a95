import type * as Y from 'yjs'

export type Sequence = Y.Text | Y.Array<unknown>
export type Shared = Sequence | Y.Map<unknown> | Y.XmlFragment

/** Where an element was put: where that is in what was seen, undefined for behind the last one, and where it is. */
export interface InsertedAt {
  readonly seen: number | undefined
  readonly is: number
}

/**
 * A document as whoever asks for a change has seen it, laid over the one that is there. What the change itself does belongs to
 * what it has seen from then on, so that its later parts count with that.
 */
export interface View {
  /**
   * Where an element is.
   * @throws Refused EDIT_OUTDATED where it is gone
   */
  element(array: Y.Array<unknown>, index: number): number
  /** Where the place before an element is, or behind the last one. */
  gap(sequence: Sequence, index: number): number
  /** What is left of a range. */
  ranges(sequence: Sequence, index: number, length: number): { readonly index: number; readonly length: number }[]
  /** @throws Refused EDIT_OUTDATED where somebody else has put something there, or taken it away */
  expectKey(map: Y.Map<unknown>, key: string): void
  /** @throws Refused EDIT_OUTDATED where somebody else has changed anything in it */
  expectWhole(type: Shared): void
  /** The change has put an element there, or taken one away, or set a key. */
  inserted(array: Y.Array<unknown>, place: InsertedAt): void
  removed(array: Y.Array<unknown>, seen: number): void
  wrote(map: Y.Map<unknown>, key: string): void
}

/** For changes that are made for what is there now. */
export const PRESENT: View = {
  element: (_, index) => index,
  gap: (_, index) => index,
  ranges: (_, index, length) => (length > 0 ? [{ index, length }] : []),
  expectKey: () => undefined,
  expectWhole: () => undefined,
  inserted: () => undefined,
  removed: () => undefined,
  wrote: () => undefined,
}
