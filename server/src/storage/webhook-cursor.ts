import type { CursorFailure } from './cursor-store.ts'

const PREFIX = 'webhook-'

/** The name of the cursors by which a webhook is told of documents. */
export function webhookCursor(id: string): string {
  return `${PREFIX}${id}`
}

/** Whose cursors have this name; undefined where they are none of a webhook. */
export function webhookOf(cursor: string): string | undefined {
  return cursor.startsWith(PREFIX) ? cursor.slice(PREFIX.length) : undefined
}

/** Whether somebody who could not be told is to be told again. */
export function isDue(failure: CursorFailure | undefined, now: number): boolean {
  return !failure || (failure.retryAt !== null && failure.retryAt <= now)
}
