import { CoeditError } from '../../common/errors.ts'

/**
 * Classes of SQLSTATE that come again whenever the statement does: data that does not fit, constraints, limits of the
 * database. All else passes (a restart, a failover, a full disk, rights that somebody took), or is not known to last.
 */
const LASTING_CLASSES = ['22', '23', '54']
/** Numbers that are given twice, for instance. */
const CONSTRAINTS = '23'
/** insufficient_privilege. */
const DENIED = '42501'
/** data_corrupted and index_corrupted. */
const CORRUPTED = ['XX001', 'XX002']

/** The answers of the functions in schema.ts that are no failures of the database. */
export const STATES = {
  /** The node, or the number of its batch, is not the one that the database knows. */
  wrongBatch: 'CE001',
  /** A document has lost the number that an update builds on. */
  conflict: 'CE002',
  /** A document was deleted. */
  gone: 'CE003',
  /** A segment of the history is not the last one any more. */
  outrun: 'CE004',
} as const

/** The SQLSTATE of an error of the database; undefined for all else. */
export function stateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('severity' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Whether repeating the statement would not help. */
export function isLasting(error: unknown): boolean {
  if (error instanceof CoeditError) return true
  const state = stateOf(error) ?? ''
  return LASTING_CLASSES.includes(state.slice(0, 2)) || CORRUPTED.includes(state) || isAnswer(state)
}

/** Whether a SQLSTATE is one of these, which say that nothing was done. */
export function isAnswer(state: string): boolean {
  return Object.values<string>(STATES).includes(state)
}

/** What tells that the database does not hold what it should as a CoeditError; others as they are. */
export function translated(error: unknown): unknown {
  const state = stateOf(error) ?? ''
  if (!CORRUPTED.includes(state) && !state.startsWith(CONSTRAINTS)) return error
  const message = `what the database stores is not as it was written: ${reasonOf(error)}`
  return new CoeditError('STORAGE_DAMAGED', message, { cause: error })
}

export function closedError(cause?: unknown): CoeditError {
  return new CoeditError('STORAGE_CLOSED', 'The storage is closed.', cause === undefined ? {} : { cause })
}

export function unreachableError(cause: unknown): CoeditError {
  if (cause instanceof CoeditError) return cause
  if (stateOf(cause) === DENIED) return deniedError(`what coedit needs (${reasonOf(cause)})`, cause)
  const message = `The database cannot be reached, or does not let coedit in: ${reasonOf(cause)}`
  return new CoeditError('STORAGE_UNREACHABLE', message, { cause })
}

export function deniedError(what: string, cause?: unknown): CoeditError {
  const message = `The role may not use ${what}: run coedit migrate --grant-to it as the owner of the schema.`
  return new CoeditError('STORAGE_DENIED', message, { cause })
}

/** A failed attempt at several addresses (::1 and 127.0.0.1) has no message of its own. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  if (!(error instanceof Error)) return String(error)
  return error.message
}
