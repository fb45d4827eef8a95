import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import * as Y from 'yjs'
import { z } from 'zod'
import { Random } from './random.ts'

/** Recorded keystrokes are not part of the repository; they are looked for beside it. */
const DIRECTORY = new URL('../../../shared/traces/', import.meta.url)
const GENERATED_TRANSACTIONS = 5_000
const TEXT_NAME = 'text'

const transaction = z.object({
  /** Who made it, from 0. Missing where a single person wrote everything. */
  agent: z.int().default(0),
  /** Earlier transactions, by number, whose merged state this one begins with. Missing: the one before it. */
  parents: z.array(z.int()).optional(),
  /** `[position, deleted, inserted]` in Unicode code points, each upon the one before. */
  patches: z.array(z.tuple([z.int(), z.int(), z.string()])),
})
const file = z.object({ endContent: z.string(), numAgents: z.int().default(1), txns: z.array(transaction) })

type Patch = z.output<typeof transaction>['patches'][number]

/** What somebody, or several at once, wrote, in the format of josephg/editing-traces. */
export interface Trace {
  readonly agents: number
  readonly transactions: readonly Transaction[]
  readonly endContent: string
}

interface Transaction {
  readonly agent: number
  readonly parents: readonly number[]
  readonly patches: readonly Patch[]
}

/** A transaction as Yjs encodes it. */
export interface TraceEdit {
  readonly agent: number
  readonly update: Uint8Array
  /** The clocks by agent of the state that it begins with: who has these can apply it. */
  readonly needs: readonly number[]
}

export interface Replay {
  readonly edits: readonly TraceEdit[]
  readonly text: string
}

/** Reads `NAME.json.gz`. Where it is missing something is made up, which is said on the console. */
export function loadTrace(name: string, agents: number): Trace {
  const path = fileURLToPath(new URL(`${name}.json.gz`, DIRECTORY))
  if (!existsSync(path)) {
    console.log(`no trace at ${path}: replaying a generated one with ${agents} agents`)
    return generateTrace(agents, new Random(1))
  }
  const { endContent, numAgents, txns } = file.parse(JSON.parse(gunzipSync(readFileSync(path)).toString()))
  const transactions = txns.map(({ parents, ...rest }, index) => ({
    ...rest,
    parents: parents ?? (index === 0 ? [] : [index - 1]),
  }))
  return { agents: numAgents, transactions, endContent }
}

/** The text that traces are written in. */
export function traceTextIn(doc: Y.Doc): Y.Text {
  return doc.getText(TEXT_NAME)
}

/** The client id of an agent. */
export function clientOf(agent: number): number {
  return agent + 1
}

/** Plays a trace with plain Yjs: a document for each agent, in which just what its transactions begin with is merged. */
export function replayLocally({ agents, transactions }: Trace): Replay {
  const isWide = transactions.some(({ patches }) => patches.some(([, , inserted]) => /[\ud800-\udfff]/.test(inserted)))
  const players = Array.from({ length: agents }, (_, agent) => new Player(agent, isWide))
  const edits: TraceEdit[] = []
  for (const [number, { agent, parents, patches }] of transactions.entries()) {
    const player = players[agent]
    for (const missing of unseenBefore(parents, player, transactions)) player.merge(missing, edits[missing].update)
    const needs = players.map((_, other) => Y.getState(player.doc.store, clientOf(other)))
    edits.push({ agent, needs, update: player.edit(number, patches) })
  }
  // The last transaction has all others before it.
  const last = players[transactions.at(-1)?.agent ?? 0]
  return { edits, text: last.text.toString() }
}

class Player {
  readonly doc = new Y.Doc()
  /** The transactions that are merged into the document. */
  readonly seen = new Set<number>()
  /** Whether code points and UTF-16 code units may differ. */
  readonly #isWide: boolean

  constructor(agent: number, isWide: boolean) {
    this.doc.clientID = clientOf(agent)
    this.#isWide = isWide
  }

  get text(): Y.Text {
    return traceTextIn(this.doc)
  }

  merge(number: number, update: Uint8Array): void {
    Y.applyUpdate(this.doc, update)
    this.seen.add(number)
  }

  edit(number: number, patches: readonly Patch[]): Uint8Array {
    const updates: Uint8Array[] = []
    const record = (update: Uint8Array) => updates.push(update)
    this.doc.on('update', record)
    this.doc.transact(() => {
      for (const patch of patches) this.#apply(patch)
    })
    this.doc.off('update', record)
    this.seen.add(number)
    return Y.mergeUpdates(updates)
  }

  #apply([position, deleted, inserted]: Patch): void {
    const from = this.#unitAt(position)
    if (deleted > 0) this.text.delete(from, this.#unitAt(position + deleted) - from)
    if (inserted !== '') this.text.insert(from, inserted)
  }

  #unitAt(codePoint: number): number {
    if (!this.#isWide) return codePoint
    return [...this.text.toString()].slice(0, codePoint).join('').length
  }
}

/** The parents and all before them that the player has not merged, oldest first. */
function unseenBefore(parents: readonly number[], { seen }: Player, transactions: readonly Transaction[]): number[] {
  const found = new Set<number>()
  const open = [...parents]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next) || found.has(next)) continue
    found.add(next)
    open.push(...transactions[next].parents)
  }
  return [...found].sort((a, b) => a - b)
}

/** Agents that write at random, in characters of any width, and now and then merge what another one has. */
function generateTrace(agents: number, random: Random): Trace {
  const players = Array.from({ length: agents }, (_, agent) => new Player(agent, true))
  const transactions: Transaction[] = []
  const updates: Uint8Array[] = []
  const lastOf: number[] = []

  const write = (agent: number, parents: readonly number[], patch: Patch) => {
    transactions.push({ agent, parents, patches: [patch] })
    updates.push(players[agent].edit(updates.length, [patch]))
    lastOf[agent] = updates.length - 1
  }
  const merge = (agent: number, others: readonly number[]) => {
    const parents = [agent, ...others].map((one) => lastOf[one]).filter((last) => last !== undefined)
    const player = players[agent]
    for (const missing of unseenBefore(parents, player, transactions)) player.merge(missing, updates[missing])
    return [...new Set(parents)]
  }

  write(0, [], [0, 0, 'Once '])
  while (transactions.length < GENERATED_TRANSACTIONS) {
    const agent = random.below(agents)
    const mustMerge = lastOf[agent] === undefined
    const parents = merge(agent, mustMerge ? [0] : random.chance(0.2) ? [random.below(agents)] : [])
    write(agent, parents, randomPatch([...players[agent].text.toString()].length, random))
  }
  write(0, merge(0, [...players.keys()]), [0, 0, '!'])
  return { agents, transactions, endContent: players[0].text.toString() }
}

/** @param length of the text, in code points */
function randomPatch(length: number, random: Random): Patch {
  const at = random.below(length + 1)
  if (length > 0 && random.chance(0.3)) return [at, Math.min(length - at, 1 + random.below(4)), random.pick(['', 'é'])]
  return [at, 0, random.pick(['a', 'word ', '😀', '漢字', '👩‍👩‍👧'])]
}
