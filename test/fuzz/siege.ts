import { access, readFile } from 'node:fs/promises'
import { within } from '../bench/within.ts'
import { type ServerProcess, startServer } from '../support/process.ts'
import { Random } from '../support/random.ts'
import { store } from '../support/raw-client.ts'
import { inScope } from '../support/scope.ts'
import type { Release } from '../support/temporary.ts'
import { HOSTILE_BODY_BYTES, type HttpInputs } from './http-inputs.ts'
import { fireHttp } from './http-shots.ts'
import { Innocents } from './innocents.ts'
import type { Inputs } from './inputs.ts'
import { fireKeyed, keyedVolleysOf } from './keyed-volleys.ts'
import { startProbe, type Waits } from './probe.ts'
import type { Traffic } from './traffic.ts'
import { fire, volleysOf } from './volley.ts'

/** Inputs that go to one document while two innocents edit it. */
export const ROUND = 1_000
/** Connections that attack at a time. */
const ATTACKERS = 24
/** Far above what a busy machine takes. */
const LIMIT_MS = 60_000
/** Documents are compacted all the time, in several chunks, and there is not much memory. */
const FLAGS = [
  ...['--log-level', 'warn'],
  ...['--compact-max-entries', '300', '--compact-min-bytes', '0', '--compact-interval-ms', '0'],
  ...['--chunk-bytes', '16384'],
]
/** The webhook that requests name by a number. */
const WEBHOOK = {
  id: '1',
  secret: `whsec_${Buffer.alloc(24).toString('base64')}`,
  url: 'http://127.0.0.1:9/',
  prefixes: ['own-'],
  quietMs: 0,
}
/** So that the largest bodies are refused, and there are webhooks, none of which can be told. */
const HTTP_FLAGS = [
  ...['--max-body-bytes', String(HOSTILE_BODY_BYTES - 1)],
  ...['--webhooks', JSON.stringify([WEBHOOK]), '--webhook-addresses', '127.0.0.1'],
]
const HEAP_MIB = 256

export interface SiegePlan {
  /** Where the clean-up goes. */
  readonly release: Release
  readonly traffic: Traffic
  readonly inputs: Inputs
  /**
   * A PostgreSQL (postgres://…) that three servers share, of which one is attacked; innocents are at all of them. Default:
   * one server with a directory of its own, where all innocents are.
   */
  readonly database?: string
  /** Whether the inputs are sent as @hocuspocus/provider does, and one innocent of each document is such a client. */
  readonly isKeyed?: boolean
  /** Requests that are sent instead of the inputs. */
  readonly requests?: HttpInputs | undefined
  readonly first: number
  /** How many inputs the next round has, told how many there were; 0 ends the siege. */
  readonly nextRound: (done: number) => number
  readonly say: (progress: string) => void
}

export interface SiegeReport {
  readonly inputs: number
  readonly connections: number
  /** Updates that were acknowledged to the innocent. */
  readonly promises: number
  /** Everything that should hold and does not, in words. */
  readonly finds: readonly string[]
  readonly waits: Waits
  /** Most memory that a server had at a time (resident). */
  readonly peakMiB: number
}

/**
 * Sends inputs to a real server, round by round, each to a document that innocents edit while others edit another one.
 * In the end the server is killed, and all that share its documents, and what they acknowledged must be there.
 */
export async function besiege(plan: SiegePlan): Promise<SiegeReport> {
  const { release, database, requests, say } = plan
  const place = database === undefined ? [] : ['--database', database]
  const env = { NODE_OPTIONS: `--max-old-space-size=${HEAP_MIB}` }
  const flags = [...FLAGS, ...(requests ? HTTP_FLAGS : []), ...place]
  const start = () => startServer({ release, flags, env })
  const attacked = await start()
  const servers = database === undefined ? [attacked] : [attacked, await start(), await start()]
  const probes = await Promise.all(servers.map(({ url }) => startProbe(release, url)))
  const siege = new Siege(servers, plan)

  let done = 0
  for (let size = plan.nextRound(0); size > 0 && siege.finds.length === 0; size = plan.nextRound(done)) {
    const first = plan.first + done
    const round = siege.round(first, first + size - 1)
    const crashes = servers.map(async ({ exited }) => {
      const { code, signal, stderr } = await exited
      throw new Error(`inputs ${first}-${first + size - 1}: a server ended with ${signal ?? code}: ${stderr}`)
    })
    await Promise.race([round, ...crashes])
    done += size
    say(`${done} inputs, ${siege.connections} connections, ${siege.finds.length} finds`)
  }

  const waits = (await Promise.all(probes.map((probe) => probe.waits()))).sort((a, b) => b.longest - a.longest)[0]
  const peakMiB = Math.max(...(await Promise.all(servers.map(({ pid }) => peakOf(pid)))))
  const ends = await Promise.all(servers.map((server) => server.kill()))
  const finds = [...siege.finds, ...ends.flatMap(({ stderr }) => errorsIn(stderr))]
  // Without it the next one would begin anew, and all that was promised be missing, through no fault of the server.
  await access(attacked.data)
  const restarted = await startServer({ release, data: attacked.data, flags: place })
  for (const innocents of siege.innocents) finds.push(...(await innocents.brokenAt(restarted.url)))
  finds.push(...errorsIn(restarted.stderr()))
  const promises = siege.innocents.reduce((sum, { promises }) => sum + promises, 0)
  return { inputs: done, connections: siege.connections, promises, finds, waits, peakMiB }
}

/** Inputs that one connection sends. */
interface Shot {
  readonly first: number
  readonly last: number
  /** Resolves to what should not be, in words, or undefined. */
  readonly fire: () => Promise<string | undefined>
}

class Siege {
  connections = 0
  readonly finds: string[] = []
  readonly innocents: Innocents[] = []
  readonly #url: string
  /** Where the innocents of each document are. */
  readonly #urls: readonly string[]
  readonly #plan: SiegePlan

  /** @param servers the first of them is attacked */
  constructor(servers: readonly ServerProcess[], plan: SiegePlan) {
    const urls = servers.map(({ url }) => url)
    this.#url = urls[0]
    this.#urls = urls.length > 1 ? urls : [...urls, ...urls]
    this.#plan = plan
  }

  round(first: number, last: number): Promise<void> {
    const url = this.#url
    const { traffic, isKeyed = false } = this.#plan
    const document = `attacked-${first}`
    return inScope(async (release) => {
      await store({ release, url, document }, traffic.base)
      const random = new Random(first)
      const pairs = [document, `elsewhere-${first}`].map(
        (name) => new Innocents({ release, urls: this.#urls, document: name, random, isMixed: isKeyed }),
      )
      this.innocents.push(...pairs)
      await within(LIMIT_MS, 'the innocent to join', Promise.all(pairs.map((pair) => pair.start())))
      await this.#attack(first, last, document)
      try {
        await Promise.all(pairs.map((pair) => pair.converge()))
      } catch (error) {
        this.#found(first, last, messageOf(error))
      }
      for (const complaint of pairs.flatMap(({ complaints }) => complaints)) this.#found(first, last, complaint)
    })
  }

  async #attack(first: number, last: number, document: string): Promise<void> {
    const shots = this.#shots(first, last, document)
    const attacker = async () => {
      for (const shot of shots) {
        this.connections++
        const wrong = await shot.fire().catch(messageOf)
        if (wrong !== undefined) this.#found(shot.first, shot.last, wrong)
      }
    }
    await Promise.all(Array.from({ length: ATTACKERS }, attacker))
  }

  *#shots(first: number, last: number, document: string): Generator<Shot> {
    const { inputs, isKeyed, requests } = this.#plan
    const url = this.#url
    if (requests) {
      for (let number = first; number <= last; number++) {
        yield { first: number, last: number, fire: () => fireHttp(requests.at(number, document), url) }
      }
      return
    }
    const volleys = isKeyed ? keyedVolleysOf(inputs, first, last, document) : volleysOf(inputs, first, last)
    const send = isKeyed ? fireKeyed : fire
    for (const volley of volleys) yield { ...volley, fire: () => send(volley, url, document) }
  }

  #found(first: number, last: number, what: string): void {
    this.finds.push(`inputs ${first}-${last}: ${what}`)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The server's own complaints: it logs as errors only what must not happen. The last one ends connections. */
const COMPLAINTS = ['"level":50', '"level":60', 'a document is loaded anew']

function errorsIn(log: string): string[] {
  return log.split('\n').filter((line) => COMPLAINTS.some((complaint) => line.includes(complaint)))
}

async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]
  if (kib === undefined) throw new Error('the system does not tell how much memory the server has taken')
  return Math.round(Number(kib) / 1024)
}
