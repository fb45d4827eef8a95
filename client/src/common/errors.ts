/** Every error that the client raises on purpose. `code` is stable and listed in the README. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: ClientErrorCode

  constructor(code: ClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export type ClientErrorCode =
  | 'URL_INVALID'
  | 'DOCUMENT_INVALID'
  | 'WEBSOCKET_MISSING'
  | 'USER_MISSING'
  | 'PROTOCOL_MISSING'
  | 'ELEMENT_UNSUITABLE'
  | 'TEXT_UNSUITABLE'
  | 'DENIED'
  | 'SIGNED_OUT'
  | 'GONE'
  | 'TOO_LARGE'
  | 'FULL'
  | 'TOO_DEEP'
  | 'PRESENCE_REFUSED'
  | 'UNREACHABLE'
  | 'TOKEN_FAILED'
  | 'OFFLINE_COPY_FAILED'
  | 'DESTROYED'
