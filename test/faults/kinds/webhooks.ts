import type { ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { within } from '../../bench/within.ts'
import { type ServerProcess, startServer } from '../../support/process.ts'
import { startProxy } from '../../support/proxy.ts'
import type { Random } from '../../support/random.ts'
import { Receiver } from '../../support/receiver.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { SECRET } from '../../support/tokens.ts'
import { COMPACTING } from '../circles.ts'
import { bearer, Counter, countIn } from '../counting.ts'
import type { Fault, Finding, Trial } from '../fault.ts'
import { HistoryReader } from '../history-reader.ts'

const DOCUMENTS = ['one', 'two', 'three']
/** Of each document; what they write at the same time is one entry. */
const USERS = ['ada', 'ben']
const FLAGS = [
  ...COMPACTING,
  '--compact-max-entries',
  '10',
  '--webhook-addresses',
  '127.0.0.1',
  '--auth-secret',
  SECRET,
]
const COUNTS = { roots: [{ root: 'root', as: 'json' }] }
/** At most so many writes are answered between two kills. */
const MOST_WRITES = 20
const LONGEST_PAUSE_MS = 50
/** Far above what a busy machine takes, for those who are told again as well. */
const LIMIT_MS = 120_000

export const webhooks: Fault = {
  name: 'webhooks',
  what: 'kill -9 at any moment while services write by HTTP and are told by webhooks, some of whom fail, and others read the history: nothing answered is lost, in no version either, nothing is told that is not durable, no event is missing or out of order',
  amount: { unit: 'times', onDemand: 200, inTests: 4 },
  run: killWhileTelling,
}

async function killWhileTelling({ release, amount, random, say }: Trial): Promise<Finding> {
  const data = await temporaryDirectory(release)
  const start = () => startServer({ release, data, flags: FLAGS })
  let server: ServerProcess = await start()
  const proxy = await startProxy({ release, target: server.url })
  const headers = { authorization: await bearer('looking') }
  const good = await Receiver.start({ release })
  const failing = await Receiver.start({ release, answer: (_, response) => failOften(response, random) })
  for (const receiver of [good, failing]) await receiver.follow(proxy.url, COUNTS, headers)
  const circles = DOCUMENTS.map((document) => USERS.map((user) => new Counter({ user, document, url: proxy.url })))
  const counters = circles.flat()
  const readers = circles.map((circle) => new HistoryReader(circle, proxy.url, random))
  const stop = () => {
    for (const one of [...counters, ...readers]) one.stop()
  }
  release(async () => stop())
  for (const counter of counters) void counter.run()
  for (const reader of readers) reader.start()

  const broken: string[] = []
  const killAndLook = async (isLast: boolean): Promise<void> => {
    await server.kill()
    proxy.refuse()
    const told = counters.map((counter) => lastTold(counter, [good, failing]))
    server = await start()
    // Before the services are let in again.
    for (const [index, { document, user, answered }] of counters.entries()) {
      const count = countIn(await rootOf(server.url, document, headers), user)
      if (count < answered) broken.push(`'${document}': ${answered} of ${user} was answered, and ${count} is there`)
      if (count < told[index]) broken.push(`'${document}': ${told[index]} of ${user} was told, and ${count} is there`)
    }
    for (const reader of readers) broken.push(...(await reader.brokenAt(server.url, isLast)))
    proxy.leadTo(server.url)
  }

  for (let injected = 1; injected <= amount && broken.length === 0; injected++) {
    const counter = random.pick(counters)
    await within(LIMIT_MS, 'further answers', counter.answers(counter.answered + 1 + random.below(MOST_WRITES)))
    await pause(random.below(LONGEST_PAUSE_MS))
    await killAndLook(false)
    say(`${injected} kills, ${good.told.length} and ${failing.told.length} messages`)
  }
  stop()
  const ends = [...counters.map(({ ended }) => ended), ...readers.map((reader) => reader.ended())]
  await within(LIMIT_MS, 'the last answers', Promise.all(ends))
  for (const receiver of [good, failing]) {
    const hasAll = () => counters.every((counter) => lastTold(counter, [receiver]) === counter.answered)
    await within(LIMIT_MS, 'all to be told', receiver.until(hasAll)).catch((error: unknown) => broken.push(`${error}`))
    broken.push(...counters.flatMap((counter) => disorderIn(receiver, counter)))
    broken.push(...receiver.refused.map((reason) => `a message was not believed: ${reason}`))
  }
  await killAndLook(true)
  const compacted = await Promise.all(DOCUMENTS.map((document) => isCompacted(server.url, document, headers)))
  if (!compacted.includes(true)) broken.push('nothing was compacted, so that none of the history was in segments')
  const promised = counters.reduce((sum, { answered }) => sum + answered, 0)
  const opened = readers.reduce((sum, { read }) => sum + read.opened, 0)
  const named = readers.reduce((sum, { read }) => sum + read.named, 0)
  const measured = `${good.told.length} messages to the good receiver, ${opened} versions opened, ${named} named`
  return { injected: amount, promised, broken, measured }
}

function failOften(response: ServerResponse, random: Random): void {
  const chance = random.below(6)
  if (chance === 0) response.destroy()
  else response.writeHead(chance < 3 ? 503 : 204).end()
}

/** What is there of each counter, in a document of theirs. */
async function rootOf(url: string, document: string, headers: Readonly<Record<string, string>>): Promise<unknown> {
  const answer = await fetch(`${url}api/documents/${document}/content?root=root`, { headers })
  return answer.ok ? answer.json() : {}
}

async function isCompacted(url: string, document: string, headers: Readonly<Record<string, string>>): Promise<boolean> {
  const answer = await fetch(`${url}api/documents/${document}`, { headers })
  return answer.ok && Object(await answer.json()).snapshotBytes > 0
}

function countsIn(receiver: Receiver, { document, user }: Counter): readonly number[] {
  return receiver.of(document).map(({ data }) => countIn(data.roots?.root, user))
}

function lastTold(counter: Counter, receivers: readonly Receiver[]): number {
  return Math.max(0, ...receivers.flatMap((receiver) => countsIn(receiver, counter)))
}

function disorderIn(receiver: Receiver, counter: Counter): readonly string[] {
  const counts = countsIn(receiver, counter)
  return counts.flatMap((count, index) => {
    const before = counts[index - 1] ?? 0
    return count < before ? [`'${counter.document}': ${count} of ${counter.user} was told behind ${before}`] : []
  })
}
