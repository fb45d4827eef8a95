import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { token } from '../support/tokens.ts'

const ASK_EVERY_MS = 20
/** What is written with each number, so that there is enough of a history for more than one start. */
const FILLER_BYTES = 750

/** A number that was written and answered. */
export interface Write {
  readonly count: number
  /** The version that it made, as the answer named it. */
  readonly version: number
  /** Between which it was written, in milliseconds of the epoch. */
  readonly asked: number
  readonly answered: number
}

export interface CounterOptions {
  /** Who counts, as its token says. */
  readonly user: string
  readonly document: string
  readonly url: string
}

/** A service that counts under its name in the map `root` of a document, each number once the one before was answered. */
export class Counter {
  readonly user: string
  readonly document: string
  readonly writes: Write[] = []
  readonly ended: Promise<void>
  readonly #url: string
  #end: () => void = () => undefined
  #isStopped = false
  #watchers: (() => void)[] = []

  constructor({ user, document, url }: CounterOptions) {
    this.user = user
    this.document = document
    this.#url = url
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  /** How far it has counted. */
  get answered(): number {
    return this.writes.length
  }

  async run(): Promise<void> {
    const authorization = await bearer(this.user)
    while (!this.#isStopped) {
      this.writes.push(await this.#count(this.answered + 1, authorization))
      for (const look of this.#watchers) look()
    }
    this.#end()
  }

  /** What it has asked for is answered before it ends. */
  stop(): void {
    this.#isStopped = true
  }

  answers(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#watchers.push(() => {
        if (this.answered >= count) resolve()
      })
    })
  }

  async #count(count: number, authorization: string): Promise<Write> {
    const asked = Date.now()
    const request = {
      method: 'PATCH',
      headers: {
        authorization,
        'content-type': 'application/merge-patch+json',
        'idempotency-key': `${this.user} ${count}`,
      },
      body: JSON.stringify({ [this.user]: count, filler: randomBytes(FILLER_BYTES).toString('base64') }),
    }
    for (;;) {
      const answer = await fetch(`${this.#url}api/documents/${this.document}/content?root=root`, {
        ...request,
        signal: AbortSignal.timeout(10_000),
      }).catch(() => undefined)
      const version = /-(\d+)"$/.exec(answer?.headers.get('etag') ?? '')?.[1]
      if (answer?.status === 204) return { count, version: Number(version), asked, answered: Date.now() }
      await pause(ASK_EVERY_MS)
    }
  }
}

/** How far somebody has counted in what the root was. */
export function countIn(root: unknown, user: string): number {
  return Number(Object(root)[user] ?? 0)
}

/** The `Authorization` of somebody who may do everything. */
export async function bearer(user: string): Promise<string> {
  const all = ['*']
  return `Bearer ${await token({ sub: user, coedit: { write: all, create: all, webhooks: all } })}`
}
