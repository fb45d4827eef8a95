/** What everybody needs to know of an error; the tables in server/README.md and PROTOCOL.md are made from it. */
export interface ErrorFacts {
  /** One sentence. */
  readonly meaning: string
  /** With which code a WebSocket is closed for it. Default: 1011, a failure of the server that the peer is not told. */
  readonly close?: number
  /** How an HTTP request is answered. Default: 500, with INTERNAL. */
  readonly status?: 400 | 401 | 403 | 404 | 409 | 410 | 412 | 413 | 421 | 422 | 426 | 429 | 500 | 503
  /** With what the process exits, be it a server that does not start or a command. Default: 1. */
  readonly exit?: 2
}

const table = {
  OPTION_INVALID: { meaning: 'An option is unknown or its value is not one that it takes.', exit: 2 },
  PORT_IN_USE: { meaning: 'Another process listens on the port.' },
  HOST_NEEDS_AUTH: { meaning: 'The host can be reached by others, but nothing authenticates them.', exit: 2 },
  STORAGE_UNWRITABLE: { meaning: 'The data directory cannot be made or written.' },
  STORAGE_LOCKED: {
    meaning: 'Another process uses the data directory, or servers the database that a command needs for itself.',
  },
  STORAGE_VERSION: { meaning: 'The data directory or the database was written by a newer version.' },
  STORAGE_OUTDATED: { meaning: 'The database is that of an older version or empty, and the role may not migrate it.' },
  STORAGE_UNREACHABLE: { meaning: 'The database server does not answer, or refuses the connection.' },
  STORAGE_UNSUITABLE: { meaning: 'The database server is too old.' },
  STORAGE_DENIED: { meaning: 'The role of the database may not read or write what coedit stores.' },
  STORAGE_CLOSED: { meaning: 'The storage was closed before the operation was done.', status: 503 },
  STORAGE_DAMAGED: {
    meaning:
      'Something stored is not as it was written, or LevelDB cannot read it: coedit repair saves what can be read.',
  },
  STORAGE_MISSING: {
    meaning: 'What a command was given has no documents: no database in the directory, no schema in the database.',
  },
  STORAGE_BUSY: { meaning: 'The database changed too fast to be copied.' },
  STORAGE_CONFLICT: { meaning: 'Somebody else replaced or removed what is stored at the same time.' },
  CANNOT_LISTEN: { meaning: 'The host or port cannot be listened on; the message holds the reason of the system.' },
  DOCUMENT_NAME: {
    meaning: 'The document name is empty, too long, or holds a control character or a dot segment.',
    close: 4400,
    status: 400,
  },
  DOCUMENT_MISSING: { meaning: 'There is no document of this name.', status: 404 },
  HISTORY_MISSING: {
    meaning: 'The history of a document does not reach back so far, or has no version of this number or name.',
    status: 404,
  },
  VERSION_EXISTS: { meaning: 'A version of the document has this name already.', status: 409 },
  VERSIONS_FULL: { meaning: 'The document has as many named versions as it may have.', status: 409 },
  DOCUMENT_EXISTS: { meaning: 'There is a document of this name already.', status: 409 },
  GONE: { meaning: 'The document was deleted.', close: 4404, status: 410 },
  DOCUMENT_UNREADABLE: {
    meaning: 'Yjs cannot build the document: what is in it is well-formed, but too much for it.',
    status: 422,
  },
  DOCUMENT_FULL: { meaning: 'The document is as large as it may be, and takes deletions alone.', status: 413 },
  EDIT_CONFLICT: {
    meaning: 'The document is not as a change needs it: a test fails, or a path leads nowhere.',
    status: 409,
  },
  KEY_REUSED: { meaning: 'An Idempotency-Key came with another request before.', status: 422 },
  EDIT_OUTDATED: {
    meaning: 'What was seen before a change was asked for is too long ago to tell what it means.',
    status: 412,
  },
  WEBHOOK_MISSING: { meaning: 'There is no webhook of this id.', status: 404 },
  WEBHOOK_ADDRESS: {
    meaning: 'A webhook leads to an address that is not on the public internet, or to a public one without TLS.',
    status: 400,
  },
  WEBHOOK_CONFIGURED: { meaning: 'A webhook of the configuration can be deleted there alone.', status: 409 },
  TOO_MANY_WEBHOOKS: { meaning: 'There are as many webhooks as there may be.', status: 409 },
  DESTINATION_EXISTS: { meaning: 'A command would write where something is already.' },
  FILE_FAILED: { meaning: 'A command could not read or write a file; the message holds the reason of the system.' },
  SOURCE_UNREADABLE: {
    meaning:
      'What is to be imported is laid out otherwise, is damaged, or needs a package to be read; the message says which.',
  },
  IMPORT_INCOMPLETE: { meaning: 'Some of what was to be imported was left out; the command names it.' },
  COPY_INCOMPLETE: {
    meaning: 'Some documents were not copied whole, or are others at the destination; the command names them.',
  },
  MESSAGE_MALFORMED: { meaning: 'A message does not follow the protocol.', close: 1008, status: 400 },
  CLIENT_MISTAKEN: {
    meaning: 'A client of Hocuspocus, whose address is that of the server alone, came to that of a document.',
    close: 1008,
  },
  UPDATE_MALFORMED: {
    meaning: 'An update is not one in the Yjs v1 encoding, or passes a limit.',
    close: 1008,
    status: 400,
  },
  UPDATE_TOO_DEEP: {
    meaning: 'Values in an update are nested more than 1,000 deep; of what clients write they are taken as deleted.',
    status: 400,
  },
  UPDATE_INCOMPLETE: { meaning: 'An update builds on something that the document does not have.', status: 409 },
  UNAUTHORIZED: { meaning: 'There is no token, or none that is valid here and now.', close: 4401, status: 401 },
  FORBIDDEN: {
    meaning: 'The token does not allow this, or the page is of a foreign origin.',
    close: 4403,
    status: 403,
  },
  HOST_UNKNOWN: {
    meaning:
      'The request names a host that is neither loopback nor that of an allowed origin, and nobody is asked for a token.',
    status: 421,
  },
  UPGRADE_MISSING: {
    meaning: 'A WebSocket was asked for without the headers Upgrade and Connection, which a proxy has dropped.',
    status: 426,
  },
  UPGRADE_INVALID: { meaning: 'A WebSocket was asked for, but not as RFC 6455 has it.', status: 400 },
  AUTH_UNAVAILABLE: { meaning: 'Tokens cannot be checked at present; its log says why.', close: 1013, status: 503 },
  ACCESS_CHANGED: { meaning: 'A renewed token allows something else than the one before it.', close: 1012 },
  DISCONNECTED: { meaning: 'The server was asked to end the connection; the client may come back.', close: 1012 },
  EDIT_ASYNC: { meaning: 'The function given to edit returned a promise; nothing was changed.' },
  YJS_FOREIGN: {
    meaning:
      'A type of another copy of Yjs, or what Yjs cannot store, was put into a document: take Y of @coedit/server.',
  },
  HOOK_FAILED: { meaning: 'The hook load threw, took too long or returned no whole document, which stays closed.' },
  SERVER_CLOSED: { meaning: 'The server was closed before the operation was done.', status: 503 },
  TOO_MANY_CONNECTIONS: {
    meaning: 'The address, the user or the document has as many connections as it may have.',
    close: 1013,
    status: 429,
  },
  BODY_UNEXPECTED: { meaning: 'A request has a body, and none is taken at this address.', status: 413 },
  BODY_TOO_LARGE: { meaning: 'The body of a request is larger than is taken at this address.', status: 413 },
  REQUEST_INVALID: { meaning: 'A parameter or header of a request is not what is taken at this address.', status: 400 },
  BODY_INVALID: { meaning: 'The body of a request is not what is taken at this address.', status: 400 },
  NOT_FOUND: { meaning: 'Nothing is served at this address.', status: 404 },
  INTERNAL: { meaning: 'The server failed to answer a request; its log says why.', status: 500 },
} as const satisfies Record<string, ErrorFacts>

export type ErrorCode = keyof typeof table

/** The facts of every error. Codes are stable. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorFacts>> = table

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

/** What everybody is told who asks for a document that was never written. */
export function missingError(document: string): CoeditError {
  return new CoeditError('DOCUMENT_MISSING', `there is no document '${document}'`)
}

/** What everybody is told who asks for a document that was deleted. */
export function goneError(document: string): CoeditError {
  return new CoeditError('GONE', `'${document}' was deleted`)
}
