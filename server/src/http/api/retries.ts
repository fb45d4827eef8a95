import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import { CoeditError } from '../../common/errors.ts'
import type { Place } from '../../document/in-process.ts'
import type { WriteKey, WriteKeyStore } from '../../storage/document-store.ts'
import type { Env } from '../routes.ts'

const MAX_KEY_LENGTH = 255

/**
 * Has a write that comes with an `Idempotency-Key` be done once. The key is stored with what was written, so that a retry
 * is answered as the first request was, also by another server and after a restart. One that comes while the first is
 * being done waits for it. What was refused has changed nothing, and is tried anew.
 */
export class Retries {
  readonly #store: WriteKeyStore
  /** Writes that are being done, by document and key. */
  readonly #running = new Map<string, Promise<unknown>>()

  constructor(store: WriteKeyStore) {
    this.#store = store
  }

  /**
   * Does the write unless it was done, and resolves with where the document stood after it.
   * @param user whose keys they are
   * @throws CoeditError REQUEST_INVALID, KEY_REUSED, and as `write` does
   */
  async once(
    c: Context<Env>,
    document: string,
    user: string | undefined,
    write: (key?: WriteKey) => Promise<Place>,
  ): Promise<Place> {
    const header = c.req.header('idempotency-key')
    if (header === undefined) return write()
    if (header === '' || header.length > MAX_KEY_LENGTH) {
      throw new CoeditError('REQUEST_INVALID', `Idempotency-Key: expected 1 to ${MAX_KEY_LENGTH} characters`)
    }
    const key = { id: digest(JSON.stringify([user ?? null, header])), request: await requestDigest(c) }
    const place = JSON.stringify([document, Buffer.from(key.id).toString('base64')])
    for (let other = this.#running.get(place); other; other = this.#running.get(place)) await other
    const writing = this.#writeOnce(document, key, write)
    const settled = writing.catch(() => undefined).finally(() => this.#running.delete(place))
    this.#running.set(place, settled)
    return writing
  }

  async #writeOnce(document: string, key: WriteKey, write: (key: WriteKey) => Promise<Place>): Promise<Place> {
    const before = await this.#recall(document, key)
    if (before) return before
    try {
      const at = await write(key)
      return (await this.#recall(document, key)) ?? at
    } catch (error) {
      // Another server may have done it meanwhile, which leaves nothing to be done.
      const done = await this.#recall(document, key)
      if (!done) throw error
      return done
    }
  }

  async #recall(document: string, { id, request }: WriteKey): Promise<Place | undefined> {
    const found = await this.#store.recall(document, id)
    if (!found) return undefined
    if (Buffer.compare(found.request, request) !== 0) {
      throw new CoeditError('KEY_REUSED', 'the Idempotency-Key came with another request before')
    }
    return { incarnation: found.incarnation, position: found.seq }
  }
}

/** Of all that says what is to be done. */
async function requestDigest(c: Context<Env>): Promise<Uint8Array> {
  const { search } = new URL(c.req.url)
  const head = [c.req.method, c.req.path, search, c.req.header('content-type'), c.req.header('if-match')]
  return digest(JSON.stringify(head), new Uint8Array(await c.req.arrayBuffer()))
}

function digest(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}
