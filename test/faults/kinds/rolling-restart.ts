import { EventEmitter, once } from 'node:events'
import { WebSocket } from 'ws'
import { connect } from '../../../client/src/connection/connect.ts'
import type { Connection } from '../../../client/src/connection/connection.ts'
import type { ConnectionState } from '../../../client/src/connection/state.ts'
import { startClusterNginx, startNodes } from '../../support/cluster.ts'
import { findPostgres, NO_POSTGRES, startPostgres } from '../../support/postgres.ts'
import { findProgram } from '../../support/programs.ts'
import type { Release } from '../../support/temporary.ts'
import { Circles, COMPACTING } from '../circles.ts'
import { CannotInject, type Fault, type Finding, type Trial } from '../fault.ts'

/** How long somebody may be told that there is no connection, in milliseconds. */
const OFFLINE_LIMIT_MS = 3_000
/** Pages of our own client beside the stock ones, spread over the documents. */
const PAGES = 12

export const rollingRestart: Fault = {
  name: 'rolling-restart',
  what:
    'three servers on a PostgreSQL, behind the nginx of server/deploy, are restarted by SIGTERM one after the other while ' +
    'people type: nothing promised is lost, all converge, and nobody is offline for more than 3 s',
  amount: { unit: 'times', onDemand: 20, inTests: 1 },
  run: restartAll,
}

async function restartAll({ release, random, amount, say }: Trial): Promise<Finding> {
  if (findPostgres() === undefined) throw new CannotInject(NO_POSTGRES)
  if (findProgram('nginx') === undefined) throw new CannotInject('no nginx found')
  const postgres = await startPostgres(release)
  const nodes = await startNodes({ release, flags: ['--database', await postgres.newDatabase(), ...COMPACTING] })
  const { url } = await startClusterNginx({ release, nodes, file: 'nginx-cluster.conf' })
  const circles = new Circles({ release, url, random })
  await circles.start()
  const pages = Array.from({ length: PAGES }, (_, index) => {
    const document = circles.documents[index % circles.documents.length]
    return new Page(release, url, document)
  })
  await Promise.all(pages.map((page) => page.synced()))
  for (let injected = 1; injected <= amount; injected++) {
    for (const node of nodes) {
      await circles.goOn()
      const { code, stderr } = await node.kill('SIGTERM')
      if (code !== 0) throw new Error(`${node.name} ended with ${code}: ${stderr}`)
      await node.start()
      await Promise.all(pages.map((page) => page.synced()))
    }
    say(`${injected} times, ${circles.promised} promises, ${described(gapsOf(pages))}`)
  }
  await circles.converge()
  const broken = await Promise.all(
    nodes.map(async ({ url }) => [...(await circles.brokenAt(url)), ...(await circles.differencesAt(url))]),
  )
  const gaps = gapsOf(pages)
  const late = gaps.filter((ms) => ms > OFFLINE_LIMIT_MS)
  return {
    injected: amount * nodes.length,
    promised: circles.promised,
    broken: [...broken.flat(), ...late.map((ms) => `somebody was offline for ${ms.toFixed(0)} ms`)],
    measured: described(gaps),
  }
}

/** How long each time somebody was offline took, in milliseconds and ascending. */
function gapsOf(pages: readonly Page[]): readonly number[] {
  return pages.flatMap(({ gaps }) => gaps).sort((a, b) => a - b)
}

function described(gaps: readonly number[]): string {
  const [median = 0, most = 0] = [gaps[gaps.length >> 1], gaps.at(-1)]
  return `${gaps.length} times offline, for ${median.toFixed(0)} ms (median), at most ${most.toFixed(0)} ms`
}

/** Somebody with our own client, who sees for how long there is no connection. */
class Page {
  readonly #connection: Connection
  readonly #changed = new EventEmitter()
  readonly #gaps: number[] = []
  #lostAt: number | undefined

  constructor(release: Release, url: string, document: string) {
    this.#connection = connect({ url, document, WebSocket })
    this.#connection.subscribe((state) => this.#look(state))
    release(async () => this.#connection.destroy())
  }

  /** From each loss until the content of the server was there again, in milliseconds. */
  get gaps(): readonly number[] {
    return this.#gaps
  }

  /** Resolves when it has the content of the server over a socket that is open. */
  async synced(): Promise<void> {
    await this.#connection.whenSynced
    while (this.#lostAt !== undefined) await once(this.#changed, 'change')
  }

  #look({ synced, connection }: ConnectionState): void {
    if (synced && this.#lostAt !== undefined) {
      this.#gaps.push(performance.now() - this.#lostAt)
      this.#lostAt = undefined
    } else if (connection === 'offline' && this.#lostAt === undefined) {
      this.#lostAt = performance.now()
    }
    this.#changed.emit('change')
  }
}
