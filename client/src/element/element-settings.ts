import { parseUrl } from '../common/parse-url.ts'
import type { Connection, ConnectOptions, User } from '../connection/connection.ts'

export const OBSERVED_ATTRIBUTES = [
  'url',
  'document',
  'user-id',
  'user-name',
  'user-color',
  'access',
  'offline',
  'carets',
] as const

type Attribute = (typeof OBSERVED_ATTRIBUTES)[number]

export type TokenFunction = NonNullable<ConnectOptions['token']>

/** What an element is asked for: a connection that it is given, or one of its own with these options. */
export type ElementSettings = { readonly carets: boolean } & (
  | { readonly given: Connection }
  | { readonly options: OwnOptions }
)

export type OwnOptions = ConnectOptions & { readonly user: User }

/** What the page sets as properties. */
export interface ElementProperties {
  token: TokenFunction | undefined
  connection: Connection | null
}

/** Null where there is nothing to open. */
export function readSettings(element: HTMLElement, properties: ElementProperties): ElementSettings | null {
  const { token, connection } = properties
  const read = (name: Attribute) => element.getAttribute(name)
  const carets = read('carets') !== null
  if (element.isConnected && connection !== null) return { given: connection, carets }
  const document = read('document')
  if (!element.isConnected || document === null) return null
  return {
    options: {
      url: addressOf(read('url') ?? '.', element.baseURI),
      document,
      access: read('access') === 'read' ? 'read' : 'write',
      offline: read('offline') !== null,
      user: userOf(read('user-id'), read('user-name'), read('user-color')),
      ...(token && { token }),
    },
    carets,
  }
}

/** Options with the same key can be had without another connection. */
export function connectionKey(options: OwnOptions): string {
  const { url, document, access, offline, user, token } = options
  return JSON.stringify([url, document, access, offline, user.id, token !== undefined])
}

/** What is no address stays as it is: `connect` says what is wrong with it. */
function addressOf(url: string, base: string): string {
  return parseUrl(url, base)?.href ?? url
}

/** There is always a user: one who gives no name is shown as Anonymous. */
function userOf(id: string | null, name: string | null, color: string | null): User {
  return { name: name ?? '', ...(id !== null && { id }), ...(color !== null && { color }) }
}
