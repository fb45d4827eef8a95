/**
 * Every error that coedit raises on purpose. `code` is stable and listed in server/README.md; `message` names what is
 * wrong, the value, what was expected and what to do.
 */
export class CoeditError extends Error {
  override readonly name = 'CoeditError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export type ErrorCode =
  | 'OPTION_INVALID'
  | 'PORT_IN_USE'
  | 'HOST_NEEDS_AUTH'
  | 'STORAGE_UNWRITABLE'
  | 'STORAGE_LOCKED'
  | 'STORAGE_VERSION'
  | 'STORAGE_CLOSED'
  | 'STORAGE_DAMAGED'
  | 'DOCUMENT_NAME'
  | 'MESSAGE_MALFORMED'
  | 'UPDATE_MALFORMED'
  | 'SERVER_CLOSED'
