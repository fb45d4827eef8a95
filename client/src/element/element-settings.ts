import { parseUrl } from '../common/parse-url.ts'
import type { ConnectOptions, User } from '../connection/connection.ts'

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

/** What an element is asked for. */
export interface ElementSettings {
  readonly options: ConnectOptions & { readonly user: User }
  readonly carets: boolean
}

/** Null where there is nothing to open. */
export function readSettings(element: HTMLElement, token: TokenFunction | undefined): ElementSettings | null {
  const read = (name: Attribute) => element.getAttribute(name)
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
    carets: read('carets') !== null,
  }
}

/** Settings with the same key can be had without another connection. */
export function connectionKey({ options }: ElementSettings): string {
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
