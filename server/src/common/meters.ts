import type { ErrorCode } from './errors.ts'

/** Limits that slow somebody down or cut what they write, rather than refuse a request. */
export type LimitOption = 'maxBytesPerSecond' | 'maxCpuMsPerSecond' | 'maxDocumentBytes'

/** What is counted as it happens. Called where edits pass, so each must cost next to nothing. */
export interface Meters {
  /** A batch of log entries is durable. */
  committed(entries: number, ms: number): void
  commitFailed(): void
  /** All who follow were handed what an edit brought, so long after the first of its batch came in. */
  shown(ms: number): void
  /** A worker has rewritten a document, or given it up. */
  compacted(ms: number): void
  /** A WebSocket is closed, with a code of RFC 6455 §7.4 or one of `CLOSE`. */
  closed(code: number): void
  /** An upgrade or a request was refused. */
  refused(code: ErrorCode): void
  /** Somebody is held to the option of this name; that of `maxDocumentClients` counts as `maxDocumentBytes`. */
  limited(option: LimitOption): void
  /** A webhook was told of a document. */
  webhookDelivered(ms: number): void
  /** A webhook could not be told of a document; `isParked` where it is not tried again by itself. */
  webhookFailed(isParked: boolean): void
}

export const NO_METERS: Meters = {
  committed: () => undefined,
  commitFailed: () => undefined,
  shown: () => undefined,
  compacted: () => undefined,
  closed: () => undefined,
  refused: () => undefined,
  limited: () => undefined,
  webhookDelivered: () => undefined,
  webhookFailed: () => undefined,
}
