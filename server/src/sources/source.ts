import { CoeditError } from '../common/errors.ts'

/** A document as another server has stored it. */
export interface SourceDocument {
  /** As the source has it. */
  readonly name: string
  /** Yjs updates of either encoding (v1, v2), in any order. */
  readonly updates: readonly Uint8Array[]
  /** Why something that is stored of it is no update; each is left out. */
  readonly problems: readonly string[]
}

/** Called for one document after the other. */
export type Visit = (document: SourceDocument) => Promise<void>

/** The source cannot be read at all. */
export function unreadable(message: string, cause?: unknown): CoeditError {
  return new CoeditError('SOURCE_UNREADABLE', message, { cause })
}
