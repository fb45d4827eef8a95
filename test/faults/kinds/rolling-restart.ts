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
    say(`${injected} times, ${circles.promised} promises, offline for at most ${longest(pages).toFixed(0)} ms`)
  }
  await circles.converge()
  const broken = await Promise.all(
    nodes.map(async ({ url }) => [...(await circles.brokenAt(url)), ...(await circles.differencesAt(url))]),
  )
  const late = pages.filter(({ longestMs }) => longestMs > OFFLINE_LIMIT_MS)
  return {
    injected: amount * nodes.length,
    promised: circles.promised,
    broken: [...broken.flat(), ...late.map(({ longestMs }) => `somebody was offline for ${longestMs.toFixed(0)} ms`)],
    measured: `${pages.reduce((sum, { losses }) => sum + losses, 0)} times offline, at most ${longest(pages).toFixed(0)} ms`,
  }
}

function longest(pages: readonly Page[]): number {
  return Math.max(...pages.map(({ longestMs }) => longestMs))
}

/** Somebody with our own client, who sees for how long there is no connection. */
class Page {
  readonly #connection: Connection
  readonly #changed = new EventEmitter()
  #lostAt: number | undefined
  #longestMs = 0
  #losses = 0

  constructor(release: Release, url: string, document: string) {
    this.#connection = connect({ url, document, WebSocket })
    this.#connection.subscribe((state) => this.#look(state))
    release(async () => this.#connection.destroy())
  }

  /** From a loss until the content of the server was there again, in milliseconds. */
  get longestMs(): number {
    return this.#longestMs
  }

  get losses(): number {
    return this.#losses
  }

  /** Resolves when it has the content of the server over a socket that is open. */
  async synced(): Promise<void> {
    await this.#connection.whenSynced
    while (this.#lostAt !== undefined) await once(this.#changed, 'change')
  }

  #look({ synced, connection }: ConnectionState): void {
    if (synced && this.#lostAt !== undefined) {
      this.#longestMs = Math.max(this.#longestMs, performance.now() - this.#lostAt)
      this.#lostAt = undefined
    } else if (connection === 'offline' && this.#lostAt === undefined) {
      this.#lostAt = performance.now()
      this.#losses++
    }
    this.#changed.emit('change')
  }
}
