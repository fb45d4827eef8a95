import type { Unfollow } from './document-store.ts'

/** Which access was taken back. */
export interface RevocationStore {
  /**
   * All revocations that are stored, the oldest first. A damaged one is replaced by one of everything until now: nobody
   * can tell any more what it took back. Rejects with STORAGE_DAMAGED where the engine cannot read them all.
   */
  loadRevocations(): Promise<readonly StoredRevocation[]>

  /**
   * Stores revocations, in the place of those of the same target, and forgets the targets named, in one atomic step.
   * Resolves once that is durable; while the engine cannot write it waits, as `append` does. Rejects with STORAGE_CLOSED.
   */
  storeRevocations(revocations: readonly StoredRevocation[], forgotten: readonly string[]): Promise<void>

  /**
   * Calls `onChange` when others may have stored revocations, which are to be loaded then: most often within milliseconds,
   * where a message is lost within 2 s. An engine that one process owns has no others, and leaves this out.
   *
   * @param onChange must not throw
   */
  followRevocations?(onChange: () => void): Unfollow
}

/** Access that was taken back. */
export interface StoredRevocation {
  /** What it is about, as whoever stored it says; never empty. Null for everything. */
  readonly target: string | null
  /** When, in milliseconds of the epoch, with fractions. */
  readonly time: number
}
