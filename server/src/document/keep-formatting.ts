/**
 * Keeps formatting that has no effect without parts that are still to come. Yjs deletes it, but only in transactions of
 * others. For its event `beforeObserverCalls`.
 */
export function keepFormatting(transaction: { local: boolean }): void {
  transaction.local = true
}
