import type { Ids } from '../protocol/update/update.ts'

/** What is asked of the content of a document; it goes to the thread that has it. */
export type ContentRequest = ReadRequest | LocateRequest | EditRequest | RevertRequest

/** How content is represented. */
export const REPRESENTATIONS = ['text', 'json', 'xml'] as const
export type Representation = (typeof REPRESENTATIONS)[number]

export interface ReadRequest {
  readonly kind: 'read'
  /** Of which root type; undefined for all of them, as JSON. */
  readonly root: string | undefined
  readonly as: Representation
}

/** Where indexes in a text are, as positions that move with it. */
export interface LocateRequest {
  readonly kind: 'locate'
  readonly root: string
  readonly indexes: readonly number[]
}

/** One transaction: all of it, or nothing. */
export interface EditRequest {
  readonly kind: 'edit'
  /** The root type that is meant where a change names none. */
  readonly root: string
  /** The log position that whoever asks has seen; undefined where what is there now is meant. */
  readonly seen: number | undefined
  readonly changes: Changes
}

/** Takes back what was written since a document was as it was. Nothing else of the document is needed. */
export interface RevertRequest {
  readonly kind: 'revert'
  /** The document as it was (v1). */
  readonly before: Uint8Array
  /** What has brought it to where it is now (v1). */
  readonly since: Uint8Array
  /** What of that is to be taken back; undefined for all of it. */
  readonly undone: readonly Ids[] | undefined
}

export type Changes =
  | { readonly as: 'json-patch'; readonly operations: readonly Operation[] }
  | { readonly as: 'merge-patch'; readonly patch: Json }
  | { readonly as: 'text-edits'; readonly edits: readonly TextEdit[] }
  | { readonly as: 'roots'; readonly roots: NewRoots }

/** What root types are made of, by their names: a string of a text, an array of an array, an object of a map. */
export type NewRoots = Readonly<Record<string, string | readonly Json[] | { readonly [key: string]: Json }>>

/** RFC 6902, and the root type where it is another one than that of the request. */
export type Operation = { readonly path: string; readonly root?: string | undefined } & (
  | { readonly op: 'add' | 'replace'; readonly value: Json }
  | { readonly op: 'test'; readonly value: Json }
  | { readonly op: 'remove' }
  | { readonly op: 'move' | 'copy'; readonly from: string }
)

/** Positions count UTF-16 code units, as Yjs and JavaScript do, in the text that whoever asks has seen. */
export type TextEdit =
  | { readonly index: number; readonly delete?: number | undefined; readonly insert?: string | undefined }
  | { readonly find: string; readonly replace: string; readonly all?: boolean | undefined }

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** What becomes of a request. */
export type ContentResult =
  | { readonly ok: true; readonly kind: 'read'; readonly body: string }
  /** Null where nothing has changed. */
  | { readonly ok: true; readonly kind: 'edit'; readonly update: Uint8Array | null }
  | { readonly ok: false; readonly code: RefusalCode; readonly message: string }

/** With what codes a request can be refused: the state of the document is against it, or it has no meaning at all. */
export type RefusalCode = 'EDIT_CONFLICT' | 'EDIT_OUTDATED' | 'BODY_INVALID' | 'DOCUMENT_UNREADABLE'

export interface PositionedUpdate {
  readonly update: Uint8Array
  /** The log position behind it; undefined within what belongs together. */
  readonly position: number | undefined
}

/** A root type of which changes are told: splices of a text, or JSON Patches (RFC 6902) of what it is as JSON. */
export interface WatchedRoot {
  readonly root: string
  readonly as: 'text' | 'json'
}

export interface Watch extends WatchedRoot {
  readonly id: number
  /** Where the thread is given a whole document: whether to begin right behind its snapshot, and not at its end. */
  readonly fromSnapshot: boolean
}

/** What has changed between two log positions. */
export interface WatchStep {
  readonly after: number
  readonly position: number
  /** An array in JSON, each change to what those before have made. */
  readonly changes: string
}

export interface WatchNews {
  readonly id: number
  /** Where it has begun, unless these steps go on with those before. */
  readonly begun: number | undefined
  /** Only those in which something has changed. */
  readonly steps: readonly WatchStep[]
  /** Whether the root has turned out to be of a kind that has no such changes. */
  readonly isUnfit: boolean
}

/** What the thread is told of one document. */
export interface ContentJob {
  readonly document: string
  /** Whether the updates are all of the document, and not what follows those before. */
  readonly isWhole: boolean
  /** Under which is written, where the thread has nothing of the document. */
  readonly clientId: number
  readonly updates: readonly PositionedUpdate[]
  /** All that go on. */
  readonly watches: readonly Watch[]
  readonly requests: readonly ContentRequest[]
}

export interface ContentAnswer {
  /** Of the first requests; those behind them are to be asked again. */
  readonly results: readonly ContentResult[]
  readonly news: readonly WatchNews[]
  /** Why the updates could not be applied, where that is so. */
  readonly unreadable?: string
  /** Whether the thread has given up what it had of the document, so that the next job has to bring all of it. */
  readonly isLost: boolean
}

/** A job under a number, by which its answer is known. */
export interface NumberedJob {
  readonly id: number
  readonly job: ContentJob
}

/** What the thread is told at once, in order. */
export type ThreadMessages = readonly (NumberedJob | { readonly forget: string })[]

/** What the thread says first, when it can do something. */
export const READY = 'ready'

export interface ThreadAnswer {
  readonly id: number
  readonly answer: ContentAnswer
}
