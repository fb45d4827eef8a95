import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Timeline, TimelineGroup } from '../support/history.ts'
import type { Random } from '../support/random.ts'
import { bearer, type Counter, countIn, type Write } from './counting.ts'

const ASK_EVERY_MS = 5
/** How many versions are opened for one that is given a name, on average. */
const OPENED_PER_NAME = 10
/** A document may have 1,000 names. */
const MOST_NAMED = 200
/** Of what was told before, and of the names, as many are asked for again at each look. */
const ASKED_AGAIN = 3
/** Versions that are opened at once. */
const AT_ONCE = 4
/** Clocks of processes are apart by that at most. */
const CLOCK_MS = 1_000

interface Answer {
  readonly status: number
  readonly body: unknown
}

/** Somebody who reads what one document was, names versions of it, and remembers what was told. */
export class HistoryReader {
  readonly #counters: readonly Counter[]
  readonly #url: string
  readonly #random: Random
  readonly #headers: Promise<Record<string, string>>
  /** By version. */
  readonly #told = new Map<number, unknown>()
  /** The version of each name. */
  readonly #named = new Map<string, number>()
  readonly #unexpected: string[] = []
  #isStopped = false
  #running: Promise<void> = Promise.resolve()

  /** @param counters all who write the document */
  constructor(counters: readonly Counter[], url: string, random: Random) {
    this.#counters = counters
    this.#url = url
    this.#random = random
    this.#headers = bearer('reader').then((authorization) => ({ authorization, 'content-type': 'application/json' }))
  }

  get document(): string {
    return this.#counters[0].document
  }

  /** How many versions it has opened, and how many it has named. */
  get read(): { readonly opened: number; readonly named: number } {
    return { opened: this.#told.size, named: this.#named.size }
  }

  start(): void {
    this.#running = this.#run()
  }

  stop(): void {
    this.#isStopped = true
  }

  ended(): Promise<void> {
    return this.#running
  }

  /**
   * What of the history is not at `url` as it was answered or told, in words.
   * @param isAll whether each version is opened, and not only some
   */
  async brokenAt(url: string, isAll: boolean): Promise<string[]> {
    const written = this.#counters.flatMap(({ writes }) => writes.map(({ version }) => version))
    if (written.length === 0) return []
    const latest = this.#counters.flatMap(({ writes }) => writes.at(-1)?.version ?? [])
    const versions = isAll ? [...written, ...this.#told.keys()] : [...latest, ...this.#some([...this.#told.keys()])]
    const broken = [...this.#unexpected, ...(await this.#brokenTimeline(url)), ...(await this.#brokenNames(url, isAll))]
    const left = [...new Set(versions)]
    const open = async () => {
      for (let version = left.pop(); version !== undefined; version = left.pop()) {
        broken.push(...(await this.#brokenMoment(url, `${version}`, version)))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, open))
    return broken.map((problem) => `history of '${this.document}': ${problem}`)
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#read().catch((error: unknown) => {
        if (!isBrokenLine(error)) this.#unexpected.push(`${error}`)
      })
      await pause(ASK_EVERY_MS)
    }
  }

  /** Opens one of the versions that were answered. Rejects where the line breaks. */
  async #read(): Promise<void> {
    const { writes } = this.#random.pick(this.#counters)
    if (writes.length === 0) return
    const { version } = this.#random.pick(writes)
    this.#unexpected.push(...(await this.#brokenMoment(this.#url, `${version}`, version)))
    if (this.#named.size < MOST_NAMED && this.#random.chance(1 / OPENED_PER_NAME)) await this.#name(version)
  }

  async #name(version: number): Promise<void> {
    const name = `${this.#named.size}`
    const body = JSON.stringify({ at: version })
    const { status } = await this.#call('PUT', this.#url, `versions/${name}`, body)
    // A try that broke off may have named it; the one after it is of another version.
    if (status === 409) this.#named.set(name, (await this.#namesAt(this.#url)).get(name) ?? version)
    else if (status === 201) this.#named.set(name, version)
    else this.#unexpected.push(`version ${version} is not named: ${status}`)
  }

  /** Whether a moment is the version: with all that was answered up to there, and as it was told before. */
  async #brokenMoment(url: string, at: string, version: number): Promise<string[]> {
    const { status, body } = await this.#call('GET', url, `history/content?root=root&at=${at}`)
    if (status !== 200) return [`${at} is answered ${status} ${JSON.stringify(body)}`]
    const told = this.#told.get(version)
    this.#told.set(version, told ?? body)
    const wrong = this.#counters.flatMap(({ user, writes }) => {
      const last = writes.findLast((write) => write.version <= version)
      const { count = 0 } = last ?? {}
      const found = countIn(body, user)
      // What is not answered yet may be in it already.
      const mayGoOn = count === writes.length && last?.version !== version
      return found === count || (mayGoOn && found === count + 1)
        ? []
        : [`${at} has ${found} of ${user}, expected ${count}`]
    })
    return isDeepStrictEqual(told ?? body, body) ? wrong : [...wrong, `${at} is another one than was told before`]
  }

  /** Whether the timeline has each number once, with each write under who wrote it and when. */
  async #brokenTimeline(url: string): Promise<string[]> {
    const groups = await this.#timelineAt(url)
    const broken: string[] = []
    let covered = 0
    for (const { first, last } of groups.toSorted((one, other) => one.first - other.first)) {
      if (first > covered + 1) broken.push(`nothing is told of ${covered + 1} to ${first - 1}`)
      covered = Math.max(covered, last)
    }
    for (const { user, writes } of this.#counters) {
      const own = groups.filter(({ author }) => author?.name === user && !author.claimed)
      const entries = own.reduce((sum, group) => sum + group.entries, 0)
      // What is not answered yet may be there.
      if (entries !== writes.length && entries !== writes.length + 1) {
        broken.push(`${entries} entries are told of ${user}, expected ${writes.length}`)
      }
      for (const write of writes) {
        if (!own.some((group) => isOf(write, group))) broken.push(`${write.version} of ${user} is not told of`)
      }
      const known = own.filter(({ last }) => last <= (writes.at(-1)?.version ?? 0))
      for (const group of this.#some(known)) broken.push(...(await this.#brokenTime(url, user, group)))
    }
    const users = new Set(this.#counters.map(({ user }) => user))
    const foreign = groups.filter(({ author }) => !users.has(author?.name ?? ''))
    return [...broken, ...foreign.map(({ first, author }) => `${first} is told to be of ${author?.name}`)]
  }

  /** Whether the document as it was at the time of a group has that. */
  async #brokenTime(url: string, user: string, { last, until }: TimelineGroup): Promise<string[]> {
    const { writes = [] } = this.#counters.find((counter) => counter.user === user) ?? {}
    const { count = 0 } = writes.findLast(({ version }) => version <= last) ?? {}
    const { status, body } = await this.#call('GET', url, `history/content?root=root&at=${until}`)
    const found = countIn(body, user)
    return status === 200 && found >= count ? [] : [`${until} has ${found} of ${user}, expected ${count} or more`]
  }

  /** A group has little more than an entry. */
  async #timelineAt(url: string): Promise<readonly TimelineGroup[]> {
    const groups: TimelineGroup[] = []
    for (let next: number | undefined = Number.MAX_SAFE_INTEGER; next !== undefined; ) {
      const { status, body } = await this.#call('GET', url, `history?pause=0&limit=1000&before=${next}`)
      if (status !== 200) throw new Error(`the timeline of '${this.document}' is answered ${status}`)
      const page = body as Timeline
      groups.push(...page.groups)
      next = page.next
    }
    return groups
  }

  /** Whether the names that were given are there, and open the versions that they were given to. */
  async #brokenNames(url: string, isAll: boolean): Promise<string[]> {
    const present = await this.#namesAt(url)
    const names = [...this.#named.keys()]
    const lost = names.filter((name) => present.get(name) !== this.#named.get(name))
    const broken = lost.map((name) => `'${name}' names ${present.get(name)}, expected ${this.#named.get(name)}`)
    for (const name of isAll ? names : this.#some(names)) {
      broken.push(...(await this.#brokenMoment(url, `named:${name}`, this.#named.get(name) ?? 0)))
    }
    return broken
  }

  async #namesAt(url: string): Promise<ReadonlyMap<string, number>> {
    const { status, body } = await this.#call('GET', url, 'versions')
    if (status !== 200) throw new Error(`the names of '${this.document}' are answered ${status}`)
    const { versions } = body as { readonly versions: readonly { readonly name: string; readonly version: number }[] }
    return new Map(versions.map(({ name, version }) => [name, version]))
  }

  #some<T>(all: readonly T[]): readonly T[] {
    return all.length === 0 ? [] : Array.from({ length: ASKED_AGAIN }, () => this.#random.pick(all))
  }

  async #call(method: string, url: string, path: string, body?: string): Promise<Answer> {
    const request = { method, headers: await this.#headers, ...(body !== undefined && { body }) }
    const answer = await fetch(`${url}api/documents/${this.document}/${path}`, request)
    return { status: answer.status, body: await answer.json() }
  }
}

/** As `fetch` tells that a server was killed. */
function isBrokenLine(error: unknown): boolean {
  return error instanceof TypeError
}

function isOf({ version, asked, answered }: Write, { first, last, since, until }: TimelineGroup): boolean {
  const isWithin = Date.parse(since) >= asked - CLOCK_MS && Date.parse(until) <= answered + CLOCK_MS
  return first <= version && version <= last && isWithin
}
