import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { edit } from './edits.ts'
import { requestEvents } from './event-stream.ts'
import { step2, update } from './messages.ts'
import { type Closed, connectRaw } from './raw-client.ts'
import type { Release } from './temporary.ts'

export interface Attempt {
  readonly release: Release
  readonly url: string
  /** Default: notes. */
  readonly document?: string
  readonly token: string | undefined
}

/** How a WebSocket ends that is opened with the token and written to at once. */
export async function refusedSocket({ release, url, document = 'notes', token }: Attempt): Promise<Closed> {
  const query = token === undefined ? '' : `?token=${encodeURIComponent(token)}`
  const client = await connectRaw({ release, url, document, query, protocols: ['coedit.v1'] })
  client.send(step2(edit('written by nobody').update), update(edit('nor by anybody').update))
  const closed = await client.closed
  if (client.messages.length > 0) throw new Error(`the server said ${client.types.join(', ')} before it closed`)
  return closed
}

/** Status and error code of an event stream that is asked for with the token. */
export async function refusedStream({ release, url, document = 'notes', token }: Attempt): Promise<[number, string]> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await requestEvents({ release, url, segment: encodeURIComponent(document), headers })
  if (response.statusCode === 200) throw new Error('the server lets the reader in')
  let body = ''
  for await (const text of response) body += text
  return [response.statusCode ?? 0, JSON.parse(body).error.code]
}

/** Names of what is stored in the directory of a closed server. */
export async function storedNames(data: string): Promise<readonly string[]> {
  const storage = new LevelStorage({ directory: data })
  await storage.open()
  try {
    return await storage.list('', undefined, 1000)
  } finally {
    await storage.close()
  }
}
