/** How a server wants the messages of the Yjs sync and awareness protocols wrapped. All else about a client is equal. */
export interface Dialect {
  /** The subprotocol whose connections are told what is durable; undefined where the server tells nobody. */
  readonly acknowledgingProtocol?: string
  /** The address to connect to for a document; `base` has no trailing slash. */
  address(base: string, document: string): string
  /** What a client that holds nothing sends as soon as its socket is open. */
  opening(document: string): readonly Uint8Array[]
  /** The Step2 of a client that holds nothing. */
  emptyAnswer(document: string): Uint8Array
  update(document: string, update: Uint8Array): Uint8Array
  awareness(document: string, update: Uint8Array): Uint8Array
  read(frame: Uint8Array): Received
}

/** `ignored` are messages that carry neither content nor presence, such as a login. */
export type Received =
  | { readonly kind: 'step1' | 'ignored' }
  | { readonly kind: 'step2' | 'update' | 'awareness'; readonly payload: Uint8Array }
  | { readonly kind: 'acknowledged'; readonly messages: number }
  | { readonly kind: 'refused'; readonly reason: string }
