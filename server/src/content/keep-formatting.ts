import type * as Y from 'yjs'

/** Yjs deletes formatting that has no effect yet, but only in transactions of others. For `beforeObserverCalls`. */
export function keepFormatting(transaction: Y.Transaction): void {
  transaction.local = true
}
