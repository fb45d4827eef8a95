/** What `GET /api/status` answers, as far as this page shows it. Counts are since the start of the server. */
export interface Status {
  readonly time: string
  readonly startedAt: string
  readonly node?: string
  readonly memoryBytes: number
  readonly cpuSeconds: number
  readonly eventLoop: { readonly activeSeconds: number; readonly idleSeconds: number }
  readonly connections: number
  readonly visitors: number
  readonly documents: number
  readonly pendingBytes: number
  readonly entries: number
  readonly commitFailures: number
  readonly commits: Distribution
  readonly shown: Distribution
  readonly closes: Counts
  readonly refusals: Counts
  readonly limits: Counts
  readonly webhooks: { readonly deliveries: Distribution; readonly failures: number; readonly parked: number }
  readonly storage: { readonly state: 'ok' | 'degraded'; readonly error?: string }
  readonly damage: Counts
  readonly busiest: readonly BusyDocument[]
  readonly quarantined: readonly { readonly name: string; readonly updates: number }[]
}

export type Counts = Readonly<Record<string, number>>

/** How long something took, in seconds: how many took at most `le`. */
export interface Distribution {
  readonly count: number
  readonly buckets: readonly { readonly le: number; readonly count: number }[]
}

export interface BusyDocument {
  readonly name: string
  readonly editsPerMinute: number
  readonly readers: number
  readonly bytes: number
}

export interface Connections {
  readonly connections: readonly Connection[]
  readonly shown: readonly string[]
}

export interface Connection {
  readonly id: number
  readonly user?: string
  readonly access: 'read' | 'write'
  readonly address?: string
  readonly since: string
}

/** The server has answered that it does not. */
export class Refusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The API as far as this page uses it, with the token that it was given. */
export class StatusApi {
  readonly #root: string
  token: string

  constructor(root: string, token: string) {
    this.#root = root
    this.token = token
  }

  async status(): Promise<Status> {
    return (await this.#ask('api/status')).json()
  }

  async connections(document: string): Promise<Connections> {
    return (await this.#ask(`api/documents/${encodeURIComponent(document)}/connections`)).json()
  }

  /** Ends one connection to a document, or all. */
  async disconnect(document: string, connection?: number): Promise<void> {
    await this.#ask(`api/documents/${encodeURIComponent(document)}/disconnect`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ connection }),
    })
  }

  /** Rejects with Refusal, and as `fetch` does. */
  async #ask(path: string, { headers, ...request }: RequestInit = {}): Promise<Response> {
    const authorization = this.token === '' ? {} : { authorization: `Bearer ${this.token}` }
    const answer = await fetch(new URL(path, this.#root), { ...request, headers: { ...headers, ...authorization } })
    if (answer.ok) return answer
    const { error } = await answer.json()
    throw new Refusal(answer.status, error.message)
  }
}
