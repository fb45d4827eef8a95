/** Every error code with its meaning; the table in server/README.md is made from here. Codes are stable. */
export const errorCodes = {
  OPTION_INVALID: 'An option is unknown or its value is not one that it takes.',
  PORT_IN_USE: 'Another process listens on the port.',
  HOST_NEEDS_AUTH: 'The host can be reached by others, but nothing authenticates them.',
  STORAGE_UNWRITABLE: 'The data directory cannot be made or written.',
  STORAGE_LOCKED: 'Another process uses the data directory.',
  STORAGE_VERSION: 'The data directory was written by a newer version.',
  STORAGE_CLOSED: 'The storage was closed before the operation was done.',
  STORAGE_DAMAGED:
    'Something stored is not as it was written, or LevelDB cannot read it: coedit repair saves what can be read.',
  STORAGE_MISSING: 'The directory that a command was given has no database.',
  STORAGE_BUSY: 'The database changed too fast to be copied.',
  STORAGE_CONFLICT: 'Somebody else replaced or removed what is stored at the same time.',
  CANNOT_LISTEN: 'The host or port cannot be listened on; the message holds the reason of the system.',
  DOCUMENT_NAME:
    'The document name is empty, too long, or holds a control character or a dot segment (4400, HTTP 400).',
  DOCUMENT_MISSING: 'There is no document of this name.',
  DOCUMENT_UNREADABLE: 'Yjs cannot build the document: what is in it is well-formed, but too much for it.',
  DESTINATION_EXISTS: 'A command would write where something is already.',
  FILE_FAILED: 'A command could not read or write a file; the message holds the reason of the system.',
  IMPORT_INCOMPLETE: 'Some of what was to be imported was left out; the command names it.',
  MESSAGE_MALFORMED: 'A message does not follow the protocol (1008).',
  UPDATE_MALFORMED: 'An update is not one in the Yjs v1 encoding, or passes a limit (1008).',
  UNAUTHORIZED: 'There is no token, or none that is valid here and now (4401, HTTP 401).',
  FORBIDDEN: 'The token does not allow this document, or the page is of a foreign origin (4403, HTTP 403).',
  HOST_UNKNOWN:
    'The request names a host that is neither loopback nor that of an allowed origin, and nobody is asked for a token (HTTP 421).',
  AUTH_UNAVAILABLE: 'Tokens cannot be checked at present; its log says why (1013, HTTP 503).',
  ACCESS_CHANGED: 'A renewed token allows something else than the connection was opened with (1012).',
  EDIT_ASYNC: 'The function given to edit returned a promise; nothing was changed.',
  HOOK_FAILED: 'The hook load threw, took too long or returned no whole document; the document was not opened.',
  SERVER_CLOSED: 'The server was closed before the operation was done.',
  TOO_MANY_CONNECTIONS:
    'The address, the user or the document has as many connections as it may have (1013, HTTP 429).',
  BODY_UNEXPECTED: 'A request has a body, and none is taken at this address (HTTP 413).',
  BODY_INVALID: 'The body of a request is not what is taken at this address (HTTP 400).',
  NOT_FOUND: 'Nothing is served at this address (HTTP 404).',
  INTERNAL: 'The server failed to answer a request; its log says why (HTTP 500).',
} as const

export type ErrorCode = keyof typeof errorCodes

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

export function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof CoeditError && error.code === code
}
