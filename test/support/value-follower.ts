import type { IncomingMessage } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import { Condition, systemClock } from '../../server/src/common/timing.ts'
import type { Json } from '../../server/src/content/requests.ts'
import { patched, spliced } from './changes.ts'
import { partsOf, requestEvents } from './event-stream.ts'
import type { Release } from './temporary.ts'

export interface ValueFollowing {
  readonly release: Release
  readonly url: string
  readonly document: string
  readonly as: 'text' | 'json'
  readonly root?: string
  /** More of the query. */
  readonly more?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Someone {
  readonly clientId: number
  readonly state: unknown
}

interface PresenceNews {
  readonly present?: readonly Someone[]
  readonly joined?: readonly Someone[]
  readonly changed?: readonly Someone[]
  readonly left?: readonly number[]
}

/** What an `EventSource` does with the events of a root, over as many connections as it takes. */
export class ValueFollower {
  value: Json = null
  readonly present = new Map<number, unknown>()
  /** Events of presence as they came. */
  readonly presenceNews: PresenceNews[] = []
  /** Ids in the order in which they came. */
  readonly ids: string[] = []
  /** How often the whole value came. */
  resets = 0
  bytes = 0
  #url: string
  readonly #request: ValueFollowing
  readonly #moved = new Condition()
  #response: IncomingMessage | undefined
  #reading: Promise<void> = Promise.resolve()
  #paused: Promise<void> | undefined

  constructor(request: ValueFollowing) {
    this.#request = request
    this.#url = request.url
  }

  /** Asks for the stream behind the last event. Resolves with the status of the answer. */
  async follow(lastEventId = this.ids.at(-1)): Promise<number> {
    const { release, document, as, root = 'text', more = '', headers = {} } = this.#request
    const query = `?as=${as}&root=${encodeURIComponent(root)}${more}`
    const segment = encodeURIComponent(document)
    const response = await requestEvents({ release, url: this.#url, segment, query, lastEventId, headers })
    this.#response = response
    const { statusCode = 0 } = response
    if (statusCode === 200) this.#reading = this.#read(response)
    return statusCode
  }

  /** From now on it asks this server. */
  moveTo(url: string): void {
    this.#url = url
  }

  /** Takes nothing of what is sent. */
  pause(): void {
    this.#paused = new Promise((resolve) => {
      this.resume = resolve
    })
  }

  resume: () => void = () => undefined

  /** Hangs up; resolves when nothing more comes. */
  async leave(): Promise<void> {
    this.#response?.destroy()
    await this.#reading
  }

  /** Resolves when the stream has ended. */
  async ended(): Promise<void> {
    await this.#reading
  }

  /** Resolves when it knows what `isSo` asks for; rejects after ten seconds. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const deadline = systemClock.now() + 10_000
    while (!isSo()) {
      const left = deadline - systemClock.now()
      if (left <= 0)
        throw new Error(`waited in vain until ${what}; it has ${JSON.stringify(this.value)?.slice(0, 200)}`)
      await this.#moved.waitFor(systemClock, left)
    }
  }

  shows(value: Json): Promise<void> {
    const expected = JSON.stringify(value).slice(0, 200)
    return this.until(`the stream shows ${expected}`, () => isDeepStrictEqual(this.value, value))
  }

  async #read(response: IncomingMessage): Promise<void> {
    for await (const part of partsOf(response)) {
      await this.#paused
      if (part.kind === 'comment') continue
      this.bytes += part.data.length
      if (part.id !== undefined) this.ids.push(part.id)
      this.#take(part.name, part.data)
      this.#moved.notify()
    }
    this.#moved.notify()
  }

  #take(name: string, data: string): void {
    if (name === 'presence') this.#takePresence(JSON.parse(data))
    else if (name === 'reset') {
      this.resets++
      this.value = JSON.parse(data)
    } else if (this.#request.as === 'json') this.value = patched(this.value, JSON.parse(data))
    else this.value = spliced(String(this.value), JSON.parse(data))
  }

  #takePresence(news: PresenceNews): void {
    this.presenceNews.push(news)
    if (news.present) this.present.clear()
    for (const { clientId, state } of [...(news.present ?? []), ...(news.joined ?? []), ...(news.changed ?? [])]) {
      this.present.set(clientId, state)
    }
    for (const clientId of news.left ?? []) this.present.delete(clientId)
  }
}
