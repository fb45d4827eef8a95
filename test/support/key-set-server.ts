import { createPublicKey, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Release } from './temporary.ts'

/** What an identity provider answers to who asks for its keys. */
export type KeySetAnswer =
  | { readonly kind: 'keys'; readonly keys: Readonly<Record<string, KeyObject>> }
  | { readonly kind: 'failure' | 'nonsense' | 'silence' }

export interface KeySetServer {
  readonly url: string
  /** How often it was asked. */
  readonly requests: number
  answer: KeySetAnswer
}

/** An identity provider as far as its public keys go (JWKS, RFC 7517 §5), by key id. */
export async function startKeySetServer(release: Release, answer: KeySetAnswer): Promise<KeySetServer> {
  const state = { url: '', requests: 0, answer }
  const http = createServer((_request, response) => {
    state.requests++
    respond(response, state.answer)
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  release(async () => {
    http.closeAllConnections()
    http.close()
  })
  const address: AddressInfo | string | null = http.address()
  if (address === null || typeof address === 'string') throw new Error('the server does not listen on a port')
  state.url = `http://127.0.0.1:${address.port}/keys`
  return state
}

function respond(response: ServerResponse, answer: KeySetAnswer): void {
  if (answer.kind === 'keys') response.end(JSON.stringify({ keys: Object.entries(answer.keys).map(toJwk) }))
  if (answer.kind === 'failure') response.writeHead(503).end()
  if (answer.kind === 'nonsense') response.end('<html>')
}

function toJwk([kid, privateKey]: [string, KeyObject]): object {
  return { ...createPublicKey(privateKey.export({ type: 'pkcs8', format: 'pem' })).export({ format: 'jwk' }), kid }
}
