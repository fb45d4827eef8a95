import { CoeditError } from '../../common/errors.ts'

export function closedError(cause?: unknown): CoeditError {
  return new CoeditError('STORAGE_CLOSED', 'The storage is closed.', cause === undefined ? undefined : { cause })
}

/** Why LevelDB does not open a directory. */
export function openingError(directory: string, error: unknown): CoeditError {
  const cause = deepestCause(error)
  if (codeOf(cause) === 'LEVEL_LOCKED') {
    const message = `Another process has the data directory ${directory} open: stop it, or choose another directory.`
    return new CoeditError('STORAGE_LOCKED', message, { cause })
  }
  if (isCorruption(cause)) return damagedError(directory, cause)
  const message = `The data directory ${directory} cannot be written (${deepestMessage(error)}): choose a directory that can.`
  return new CoeditError('STORAGE_UNWRITABLE', message, { cause })
}

export function damagedError(directory: string, cause: unknown): CoeditError {
  const message = `The database in ${directory} is damaged (${deepestMessage(cause)}): run coedit repair, or restore a backup.`
  return new CoeditError('STORAGE_DAMAGED', message, { cause })
}

/** What LevelDB would say of keys that are out of order, if it noticed. */
export class DisorderError extends Error {
  readonly code = 'LEVEL_CORRUPTION'

  constructor() {
    super('Corruption: keys are out of order')
  }
}

/** Whether LevelDB found something in its files that is not as it wrote it. */
export function isCorruption(error: unknown): boolean {
  return codeOf(error) === 'LEVEL_CORRUPTION'
}

export function deepestMessage(error: unknown): string {
  const cause = deepestCause(error)
  return cause instanceof Error ? cause.message : String(cause)
}

/** What everybody may be told: where the data lies is for the log alone. */
export function withoutPaths(message: string): string {
  return message.replace(/[^\s'"(]*\//g, '')
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function deepestCause(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? deepestCause(error.cause) : error
}
