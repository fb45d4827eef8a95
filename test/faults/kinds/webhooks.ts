import type { ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { within } from '../../bench/within.ts'
import { type ServerProcess, startServer } from '../../support/process.ts'
import { startProxy } from '../../support/proxy.ts'
import type { Random } from '../../support/random.ts'
import { Receiver } from '../../support/receiver.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { COMPACTING } from '../circles.ts'
import type { Fault, Finding, Trial } from '../fault.ts'

const DOCUMENTS = ['one', 'two', 'three']
const FLAGS = [...COMPACTING, '--webhook-addresses', '127.0.0.1']
/** At most so many writes are answered between two kills. */
const MOST_WRITES = 20
const LONGEST_PAUSE_MS = 50
const ASK_EVERY_MS = 20
/** Far above what a busy machine takes, for those who are told again as well. */
const LIMIT_MS = 120_000

export const webhooks: Fault = {
  name: 'webhooks',
  what: 'kill -9 at any moment while services write by HTTP and are told by webhooks, some of whom fail: nothing answered is lost, nothing is told that is not durable, no event is missing or out of order',
  amount: { unit: 'times', onDemand: 200, inTests: 5 },
  run: killWhileTelling,
}

async function killWhileTelling({ release, amount, random, say }: Trial): Promise<Finding> {
  const data = await temporaryDirectory(release)
  const start = () => startServer({ release, data, flags: FLAGS })
  let server: ServerProcess = await start()
  const proxy = await startProxy({ release, target: server.url })
  const good = await Receiver.start({ release })
  const failing = await Receiver.start({ release, answer: (_, response) => failOften(response, random) })
  for (const receiver of [good, failing]) await receiver.follow(proxy.url, { roots: [{ root: 'root', as: 'json' }] })
  const writers = DOCUMENTS.map((document) => new Writer(document, proxy.url))
  release(async () => {
    for (const writer of writers) writer.stop()
  })
  for (const writer of writers) void writer.run()

  const broken: string[] = []
  for (let injected = 1; injected <= amount && broken.length === 0; injected++) {
    const writer = random.pick(writers)
    await within(LIMIT_MS, 'further answers', writer.answers(writer.answered + 1 + random.below(MOST_WRITES)))
    await pause(random.below(LONGEST_PAUSE_MS))
    await server.kill()
    proxy.refuse()
    const told = writers.map(({ document }) => lastTold(document, [good, failing]))
    server = await start()
    // Before the writers are let in again.
    for (const [index, { document, answered }] of writers.entries()) {
      const count = await countOf(server.url, document)
      if (count < answered) broken.push(`'${document}': ${answered} was answered, and ${count} is there`)
      if (count < told[index]) broken.push(`'${document}': ${told[index]} was told, and ${count} is there`)
    }
    proxy.leadTo(server.url)
    say(`${injected} kills, ${good.told.length} and ${failing.told.length} messages`)
  }
  for (const writer of writers) writer.stop()
  await within(LIMIT_MS, 'the last answers', Promise.all(writers.map(({ ended }) => ended)))
  for (const receiver of [good, failing]) {
    const hasAll = () => writers.every(({ document, answered }) => lastTold(document, [receiver]) === answered)
    await within(LIMIT_MS, 'all to be told', receiver.until(hasAll)).catch((error: unknown) => broken.push(`${error}`))
    broken.push(...DOCUMENTS.flatMap((document) => disorderIn(receiver, document)))
    broken.push(...receiver.refused.map((reason) => `a message was not believed: ${reason}`))
  }
  const promised = writers.reduce((sum, { answered }) => sum + answered, 0)
  return { injected: amount, promised, broken, measured: `${good.told.length} messages to the good receiver` }
}

/** A service that counts in a document, each number once the one before was answered. */
class Writer {
  readonly document: string
  answered = 0
  readonly ended: Promise<void>
  readonly #url: string
  #end: () => void = () => undefined
  #isStopped = false
  #watchers: (() => void)[] = []

  constructor(document: string, url: string) {
    this.document = document
    this.#url = url
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  async run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#count(this.answered + 1)
      this.answered++
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

  async #count(to: number): Promise<void> {
    for (;;) {
      const answer = await fetch(`${this.#url}api/documents/${this.document}/content?root=root`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/merge-patch+json', 'idempotency-key': `${to}` },
        body: JSON.stringify({ count: to }),
        signal: AbortSignal.timeout(10_000),
      }).catch(() => undefined)
      if (answer?.status === 204) return
      await pause(ASK_EVERY_MS)
    }
  }
}

function failOften(response: ServerResponse, random: Random): void {
  const chance = random.below(6)
  if (chance === 0) response.destroy()
  else response.writeHead(chance < 3 ? 503 : 204).end()
}

async function countOf(url: string, document: string): Promise<number> {
  const answer = await fetch(`${url}api/documents/${document}/content?root=root`)
  return answer.ok ? Number((await answer.json())?.count ?? 0) : 0
}

function countsIn(receiver: Receiver, document: string): readonly number[] {
  return receiver.of(document).map(({ data }) => Number(Object(data.roots?.root).count))
}

function lastTold(document: string, receivers: readonly Receiver[]): number {
  return Math.max(0, ...receivers.flatMap((receiver) => countsIn(receiver, document)))
}

function disorderIn(receiver: Receiver, document: string): readonly string[] {
  const counts = countsIn(receiver, document)
  return counts.flatMap((count, index) => {
    const before = counts[index - 1] ?? 0
    return count < before ? [`'${document}': ${count} was told behind ${before}`] : []
  })
}
