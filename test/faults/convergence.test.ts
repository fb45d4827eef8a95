import { setImmediate as nextTurn } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { contentOf, Editor } from '../support/editing.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { startServer } from '../support/process.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { inScope } from '../support/scope.ts'
import { freshCopy, type StockClient, stockClient } from '../support/stock-clients.ts'
import type { Release } from '../support/temporary.ts'
import { untilChanged } from '../support/until.ts'

const DOCUMENT = 'shared 😀/100%'
const CLIENTS = 4
/** Few entries to a compaction, so that documents are compacted several times while they are edited. */
const COMPACTING = [
  '--compact-max-entries',
  '20',
  '--compact-min-bytes',
  '0',
  '--chunk-bytes',
  '1024',
  '--compact-interval-ms',
  '0',
]

/** What can happen. Clients are named by number. */
type Action =
  | { readonly kind: 'edit'; readonly client: number; readonly times: number }
  | { readonly kind: 'disconnect' | 'connect'; readonly client: number }
  /** The connections of all break, and their clients find out. */
  | { readonly kind: 'cut' }
  | { readonly kind: 'restart' }
  /** Messages pass for a while: how long decides who has seen what when the next action comes. */
  | { readonly kind: 'pass'; readonly turns: number }

const client = fc.nat({ max: CLIENTS - 1 })
const actions = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ kind: fc.constant('edit' as const), client, times: fc.integer({ min: 1, max: 5 }) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('disconnect' as const, 'connect' as const), client }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'cut' } as const) },
    { weight: 2, arbitrary: fc.constant({ kind: 'restart' } as const) },
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('pass' as const), turns: fc.integer({ min: 1, max: 60 }) }) },
  ),
  { minLength: 10, maxLength: 60 },
)

/** A server that can be stopped and started again on what it has left. */
interface Host {
  readonly url: string
  restart(): Promise<void>
}

/** Is closed in an orderly way. */
async function hostInProcess(release: Release): Promise<Host> {
  let { server, data } = await startInProcess({ release })
  return {
    get url() {
      return server.url
    },
    restart: async () => {
      await server.close()
      ;({ server } = await startInProcess({ release, options: { data } }))
    },
  }
}

/** Is killed. */
async function hostInProcessOfItsOwn(release: Release): Promise<Host> {
  let server = await startServer({ release, flags: COMPACTING })
  return {
    get url() {
      return server.url
    },
    restart: async () => {
      await server.kill()
      server = await startServer({ release, flags: COMPACTING, data: server.data })
    },
  }
}

/** Somebody who edits, with or without a connection. */
interface Participant extends StockClient {
  readonly editor: Editor
}

function join(release: Release, url: string, random: Random, truth: Y.Doc): Participant {
  const client = stockClient({ release, url, document: DOCUMENT })
  client.doc.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin !== client.provider) Y.applyUpdate(truth, update)
  })
  return { ...client, editor: new Editor(client.doc, random) }
}

async function perform(action: Action, participants: readonly Participant[], host: Host, proxy: TcpProxy) {
  switch (action.kind) {
    case 'edit':
      for (let times = action.times; times > 0; times--) participants[action.client].editor.edit()
      break
    case 'disconnect':
      participants[action.client].provider.disconnect()
      break
    case 'connect':
      participants[action.client].provider.connect()
      break
    case 'cut':
      proxy.cut()
      break
    case 'restart':
      await host.restart()
      proxy.leadTo(host.url)
      break
    case 'pass':
      for (let turns = action.turns; turns > 0; turns--) await nextTurn()
      break
    default:
      action satisfies never
  }
}

/** Whatever happens, in the end all show what a document shows that was given every edit directly. */
function converge(openHost: (release: Release) => Promise<Host>) {
  return fc.asyncProperty(actions, fc.integer(), (actions, seed) =>
    inScope(async (release) => {
      const truth = new Y.Doc()
      const host = await openHost(release)
      const proxy = await startProxy({ release, target: host.url })
      const random = new Random(seed)
      const participants = Array.from({ length: CLIENTS }, () => join(release, proxy.url, random, truth))

      for (const action of actions) await perform(action, participants, host, proxy)

      for (const { provider } of participants) provider.connect()
      const docs = participants.map(({ doc }) => doc)
      await untilChanged([...docs, truth], 'all show the same', () => docs.every((doc) => isSame(doc, truth)))
      await host.restart()
      const stored = await freshCopy({ release, url: host.url, document: DOCUMENT })
      expect(contentOf(stored)).toEqual(contentOf(truth))
    }),
  )
}

function isSame(doc: Y.Doc, other: Y.Doc): boolean {
  return isDeepStrictEqual(contentOf(doc), contentOf(other))
}

describe('clients that edit, break off and come back', () => {
  test('converge while the server is closed and started again', async () => {
    await fc.assert(converge(hostInProcess), { numRuns: runs(10), endOnFailure: true })
  })

  test('converge while the server is killed and started again', async () => {
    await fc.assert(converge(hostInProcessOfItsOwn), { numRuns: runs(3), endOnFailure: true })
  })
})
