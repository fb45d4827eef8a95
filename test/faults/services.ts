import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { within } from '../bench/within.ts'
import type { Random } from '../support/random.ts'
import type { Crowd, CrowdOptions } from './crashes.ts'

const SERVICES = 4
/** What an honest program waits before it asks again. */
const RETRY_MS = 20
/** At most so many answers are waited for between two faults. */
const MOST_ANSWERS = 40
/** Answered requests that are asked for again at each look. */
const REPEATED = 3
/** Far above what a busy machine takes. */
const LIMIT_MS = 60_000

interface Ask {
  readonly method: string
  readonly path: string
  readonly key?: string
  readonly type?: string
  readonly body?: string
}

/** A request, and what comes of it: what is added to the list, or which document is made or deleted. */
interface Open {
  readonly ask: Ask
  readonly added?: string
  readonly document?: string
}

interface Answer {
  readonly status: number
  /** Where the document stood, without what is another one after each start. */
  readonly position: string
  readonly body: string
}

/** Programs that write by HTTP alone, and remember what they were answered. */
export class Services implements Crowd {
  readonly #all: readonly Service[]
  readonly #random: Random

  constructor({ release, url, random }: CrowdOptions) {
    this.#random = random
    this.#all = Array.from({ length: SERVICES }, (_, index) => new Service(`service-${index}`, url, random))
    release(async () => this.#stop())
  }

  get promised(): number {
    return this.#all.reduce((sum, { answered }) => sum + answered, 0)
  }

  async start(): Promise<void> {
    for (const service of this.#all) service.start()
    await this.goOn()
  }

  async goOn(): Promise<void> {
    const service = this.#random.pick(this.#all)
    await within(LIMIT_MS, 'further answers', service.answers(1 + this.#random.below(MOST_ANSWERS)))
  }

  async brokenAt(url: string): Promise<string[]> {
    return (await Promise.all(this.#all.map((service) => service.brokenAt(url)))).flat()
  }

  async converge(): Promise<void> {
    this.#stop()
    await within(LIMIT_MS, 'the last answers', Promise.all(this.#all.map((service) => service.idle())))
  }

  differencesAt(url: string): Promise<string[]> {
    return this.brokenAt(url)
  }

  #stop(): void {
    for (const service of this.#all) service.stop()
  }
}

/** One program: it adds to a list, makes documents and deletes them, one request after the other, each until it is answered. */
class Service {
  answered = 0
  readonly #name: string
  readonly #url: string
  readonly #random: Random
  /** What was added to the list. */
  readonly #added: string[] = []
  /** Its documents, and whether each is there. */
  readonly #documents = new Map<string, 'there' | 'gone'>()
  #repeatable: (readonly [Ask, Answer])[] = []
  readonly #unexpected: string[] = []
  /** What is asked for and not answered yet: it may be done or not. */
  #open: Open | undefined
  #isGoing = false
  #running: Promise<void> = Promise.resolve()
  #watchers: (() => void)[] = []

  constructor(name: string, url: string, random: Random) {
    this.#name = name
    this.#url = url
    this.#random = random
  }

  start(): void {
    this.#isGoing = true
    this.#running = this.#run()
  }

  stop(): void {
    this.#isGoing = false
  }

  idle(): Promise<void> {
    return this.#running
  }

  /** Resolves when so many more requests were answered. */
  async answers(count: number): Promise<void> {
    const goal = this.answered + count
    while (this.answered < goal) await new Promise<void>((resolve) => this.#watchers.push(resolve))
  }

  /** What it was answered and is not so at `url`, in words. */
  async brokenAt(url: string): Promise<string[]> {
    const broken = [...this.#unexpected, ...(await this.#brokenList(url))]
    for (const [document, state] of this.#documents) {
      if (this.#open?.document === document) continue
      const { status, body } = await send(url, {
        method: 'GET',
        path: `api/documents/${document}/content?root=content`,
      })
      const isRight = state === 'there' ? status === 200 && body === JSON.stringify(document) : status === 410
      if (!isRight) broken.push(`'${document}' should be ${state} and is answered ${status} ${body}`)
    }
    for (const [ask, before] of this.#repeatable.splice(0)) {
      const { status, position } = await send(url, ask)
      if (status === before.status && position === before.position) continue
      broken.push(
        `${ask.method} ${ask.path} was answered ${before.status} ${before.position}, and is ${status} ${position}`,
      )
    }
    return broken
  }

  async #brokenList(url: string): Promise<string[]> {
    const { status, body } = await send(url, { method: 'GET', path: `api/documents/${this.#name}/content?root=list` })
    if (status === 404 && this.#added.length === 0) return []
    const present: unknown = status === 200 ? JSON.parse(body) : []
    const found = Array.isArray(present) ? present.map(String) : []
    const counts = new Map<string, number>()
    for (const id of found) counts.set(id, (counts.get(id) ?? 0) + 1)
    const lost = this.#added.filter((id) => !counts.has(id)).map((id) => `${id} is not in the list of '${this.#name}'`)
    const twice = [...counts].filter(([, count]) => count > 1).map(([id]) => `${id} is there more than once`)
    const known = new Set([...this.#added, this.#open?.added])
    const foreign = [...counts.keys()].filter((id) => !known.has(id)).map((id) => `${id} was never asked for`)
    return [...lost, ...twice, ...foreign]
  }

  async #run(): Promise<void> {
    while (this.#isGoing) {
      const choice = this.#random.below(10)
      if (choice < 6) await this.#add()
      else if (choice < 8) await this.#make()
      else await this.#delete()
    }
  }

  async #add(): Promise<void> {
    const added = randomUUID()
    const body = JSON.stringify([{ op: 'add', path: '/-', value: added }])
    const path = `api/documents/${this.#name}/content?root=list`
    const ask = { method: 'PATCH', path, key: added, type: 'application/json-patch+json', body }
    await this.#ask({ ask, added }, 204, () => this.#added.push(added))
  }

  /** Sometimes one that was deleted. */
  async #make(): Promise<void> {
    const gone = [...this.#documents].flatMap(([name, state]) => (state === 'gone' ? [name] : []))
    const isAnew = gone.length > 0 && this.#random.chance(0.5)
    const document = isAnew ? this.#random.pick(gone) : `${this.#name}-${this.#documents.size}`
    const ask = {
      method: 'PUT',
      path: `api/documents/${document}`,
      key: randomUUID(),
      type: 'text/plain',
      body: document,
    }
    await this.#ask({ ask, document }, 201, () => this.#documents.set(document, 'there'))
  }

  async #delete(): Promise<void> {
    const there = [...this.#documents].flatMap(([name, state]) => (state === 'there' ? [name] : []))
    if (there.length === 0) return
    const document = this.#random.pick(there)
    const ask = { method: 'DELETE', path: `api/documents/${document}`, key: randomUUID() }
    await this.#ask({ ask, document }, 204, () => this.#documents.set(document, 'gone'))
  }

  /** Asks until there is an answer. What it comes to is noted before it counts as answered. */
  async #ask(open: Open, expected: number, note: () => void): Promise<void> {
    this.#open = open
    const { ask } = open
    // The keys of what was written to a document go with it; that of its deletion stays.
    if (ask.method === 'DELETE') this.#repeatable = this.#repeatable.filter(([{ path }]) => path !== ask.path)
    const answer = await this.#answerTo(ask)
    if (answer.status !== expected) {
      this.#unexpected.push(`${ask.method} ${ask.path} is answered ${answer.status} ${answer.body}`)
    } else {
      note()
      if (this.#repeatable.length < REPEATED) this.#repeatable.push([ask, answer])
    }
    this.#open = undefined
    this.answered++
    for (const watcher of this.#watchers.splice(0)) watcher()
  }

  async #answerTo(ask: Ask): Promise<Answer> {
    for (;;) {
      try {
        return await send(this.#url, ask)
      } catch {
        // The line broke, and nobody knows whether it was done.
        await pause(RETRY_MS)
      }
    }
  }
}

async function send(url: string, { method, path, key, type, body }: Ask): Promise<Answer> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(key !== undefined && { 'idempotency-key': key }),
      ...(type !== undefined && { 'content-type': type }),
    },
    ...(body !== undefined && { body }),
  })
  const position = /-(\d+)"$/.exec(answer.headers.get('etag') ?? '')?.[1] ?? ''
  return { status: answer.status, position, body: await answer.text() }
}
