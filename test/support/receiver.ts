import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { Webhook } from 'standardwebhooks'
import type { Release } from './temporary.ts'

/** What a webhook was told. */
export interface Told {
  readonly id: string
  readonly type: 'document.created' | 'document.changed' | 'document.deleted'
  readonly timestamp: string
  readonly data: {
    readonly document: string
    readonly cursor?: string
    readonly roots?: Readonly<Record<string, unknown>>
    readonly unread?: Readonly<Record<string, string>>
  }
}

export interface ReceiverOptions {
  readonly release: Release
  /** Default: any that is free. */
  readonly port?: number
  /** Answers in the place of a 204, once it was noted. */
  readonly answer?: (told: Told, response: ServerResponse) => void
}

/** A service that is told by webhooks, and believes what is signed alone. */
export class Receiver {
  readonly told: Told[] = []
  /** Why what has come was not believed. */
  readonly refused: string[] = []
  readonly #server: Server
  readonly #watchers = new Set<() => void>()
  #secret = ''
  #answer: NonNullable<ReceiverOptions['answer']>

  private constructor({ answer = (_, response) => response.writeHead(204).end() }: ReceiverOptions) {
    this.#answer = answer
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const body = Buffer.concat(chunks).toString()
      try {
        const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, `${value}`]))
        const message = Object(new Webhook(this.#secret).verify(body, headers))
        const told: Told = { id: headers['webhook-id'], ...message }
        this.told.push(told)
        this.#answer(told, response)
      } catch (error) {
        this.refused.push(String(error))
        response.writeHead(401).end()
      }
      for (const look of this.#watchers) look()
    })
  }

  static async start(options: ReceiverOptions): Promise<Receiver> {
    const receiver = new Receiver(options)
    receiver.#server.listen(options.port ?? 0, '127.0.0.1')
    await once(receiver.#server, 'listening')
    options.release(() => receiver.close())
    return receiver
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the receiver does not listen on a port')
    return address.port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/told`
  }

  /**
   * Has a server tell this of each commit, unless the wish has a pause, and believes what it signs. Resolves with the
   * webhook's id.
   *
   * @param headers beside the type of the content
   */
  async follow(url: string, wish: object = {}, headers: Readonly<Record<string, string>> = {}): Promise<string> {
    const answer = await fetch(`${url}api/webhooks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ url: this.url, quietMs: 0, ...wish }),
    })
    if (answer.status !== 201) throw new Error(`no webhook was made: ${answer.status} ${await answer.text()}`)
    const { id, secret } = await answer.json()
    this.trust(secret)
    return id
  }

  /** Believes what is signed with this. */
  trust(secret: string): void {
    this.#secret = secret
  }

  /** Answers so from now on. */
  answers(answer: NonNullable<ReceiverOptions['answer']>): void {
    this.#answer = answer
  }

  /** Of one document, in the order in which it came. */
  of(document: string): readonly Told[] {
    return this.told.filter(({ data }) => data.document === document)
  }

  /** Resolves when this is so, now or after something has come. */
  async until(isSo: () => boolean): Promise<void> {
    if (isSo()) return
    await new Promise<void>((resolve) => {
      const look = () => {
        if (!isSo()) return
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
    })
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }
}
