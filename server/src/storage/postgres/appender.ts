import { randomInt } from 'node:crypto'
import { CoeditError, goneError } from '../../common/errors.ts'
import type { Log } from '../../common/log.ts'
import type { Clock } from '../../common/timing.ts'
import type { Appended, AppendRequest, LogEntry, WriteKey } from '../document-store.ts'
import { isIntact, pack } from './checked.ts'
import type { Lane } from './lane.ts'
import { STATES, stateOf, translated } from './pg-errors.ts'

/** A row of coedit.append: with `data`, what was written since the base; without, the first number of the entries. */
interface AnswerRow {
  /** Which document of the batch, from 1. */
  readonly item: number
  readonly incarnation: number
  readonly seq: number
  readonly checksum: number
  readonly data: Uint8Array | null
}

/** The requests of one document in a batch. */
interface Group {
  readonly document: string
  readonly base: number
  readonly incarnation: number | undefined
  readonly isFirst: boolean
  readonly anew: boolean
  readonly cursors: readonly string[]
  readonly keys: WriteKey[]
  readonly updates: Uint8Array[]
  /** Of each update, who wrote it; null where that is not known. */
  readonly authors: (Uint8Array | null)[]
  /** Where they stand in the batch. */
  readonly places: number[]
}

const MAX_NODE = 2 ** 48 - 1

export interface AppenderContext {
  readonly lane: Lane
  /** Who holds the cursors that begin with an append. */
  holder(): Promise<number>
  readonly clock: Clock
  readonly log: Log
}

/**
 * Appends batches, each exactly once. A batch has a number, and the database remembers the last one of each node and what
 * it answered: where an answer does not come, the same batch is sent again until one does.
 *
 * A number must never stand for two batches, as an attempt may arrive long after it was given up. So when a batch is
 * refused that was sent more than once, the appender goes on as another node, and the row of the old one is deleted.
 */
export class Appender {
  readonly #context: AppenderContext
  #node: number | undefined
  #batch = 0

  constructor(context: AppenderContext) {
    this.#context = context
  }

  /** One at a time. Rejects as `Storage.append` does. */
  async append(batch: readonly AppendRequest[]): Promise<readonly Appended[]> {
    const groups = grouped(batch)
    const holder = groups.some(({ cursors }) => cursors.length > 0) ? await this.#context.holder() : null
    return answers(await this.#send(parameters(groups, this.#context.clock.now(), holder)), groups)
  }

  /** The node writes no more. */
  async close(): Promise<void> {
    const node = this.#node
    if (node === undefined) return
    this.#node = undefined
    try {
      const text = 'DELETE FROM coedit.nodes WHERE id = $1'
      await this.#context.lane.once((link) => link.query({ text, values: [node] }))
    } catch (error) {
      // It is deleted as an old one some day.
      this.#context.log.debug({ err: error }, 'the row of a node could not be deleted')
    }
  }

  async #send(values: readonly unknown[]): Promise<AnswerRow[]> {
    for (;;) {
      const node = this.#node ?? (await this.#register())
      const number = this.#batch + 1
      let attempts = 0
      try {
        const rows = await this.#context.lane.run((link) => {
          attempts++
          return link.query<AnswerRow>({ text: APPEND, values: [node, number, ...values] })
        })
        this.#batch = number
        return rows
      } catch (error) {
        const state = stateOf(error)
        if (state === undefined) throw error
        if (attempts > 1 || state === STATES.wrongBatch) await this.#register()
        if (state !== STATES.wrongBatch) throw conflictOr(error)
        // The database was restored, or this process stood still until its row was taken for that of a dead node. What
        // the batch builds on is checked all the same.
        this.#context.log.warn({ err: error }, 'the database does not know this node any more: it goes on as another')
      }
    }
  }

  /** Makes a row for this node, under a number that nobody has. */
  async #register(): Promise<number> {
    const old = this.#node ?? null
    let node = 0
    await this.#context.lane.run((link) => {
      node = randomInt(1, MAX_NODE)
      return link.query({ text: REGISTER, values: [node, old] })
    })
    this.#node = node
    this.#batch = 0
    return node
  }
}

/** Nodes that have not written for a week are gone. */
const REGISTER = `
WITH gone AS (DELETE FROM coedit.nodes WHERE id = $2 OR seen < now() - interval '7 days')
INSERT INTO coedit.nodes (id) VALUES ($1)`

const APPEND = `
SELECT item, incarnation, seq, checksum, data
FROM coedit.append(
  $1, $2, $3, $4::text[], $5::bigint[], $6::bigint[], $7::boolean[], $8::integer[], $9::integer[], $10::integer[], $11,
  $12::text[], $13, $14::boolean[], $15::bytea[], $16::bytea[]
)`

/** By document, in the order of the bytes of their names, which is the order in which every node locks them. */
function grouped(batch: readonly AppendRequest[]): readonly Group[] {
  const groups = new Map<string, Group>()
  for (const [place, request] of batch.entries()) {
    const { document, keys = [], update, authors } = request
    const group = groups.get(document) ?? emptyGroup(request)
    groups.set(document, group)
    group.updates.push(update)
    group.authors.push(authors && authors.length > 0 ? authors : null)
    group.keys.push(...keys)
    group.places.push(place)
  }
  return [...groups.values()].sort((a, b) => Buffer.compare(Buffer.from(a.document), Buffer.from(b.document)))
}

function emptyGroup({
  document,
  base,
  incarnation,
  isFirst = false,
  anew = false,
  cursors = [],
}: AppendRequest): Group {
  return { document, base, incarnation, isFirst, anew, cursors, keys: [], updates: [], authors: [], places: [] }
}

/** The parameters of coedit.append behind the node and the number of the batch. */
function parameters(groups: readonly Group[], now: number, holder: number | null): readonly unknown[] {
  const { sizes, checksums, content } = pack(groups.flatMap(({ updates }) => updates))
  return [
    now,
    groups.map(({ document }) => document),
    groups.map(({ incarnation }) => incarnation ?? null),
    groups.map(({ base }) => base),
    groups.map(({ isFirst }) => isFirst),
    groups.map(({ places }) => places.length),
    sizes,
    checksums,
    content,
    groups.map(({ cursors }) => cursors.join(',')),
    holder,
    groups.map(({ anew }) => anew),
    groups.map(({ keys }) => Buffer.concat(keys.flatMap(({ id, request }) => [id, request]))),
    groups.flatMap(({ authors }) => authors.map((bytes) => bytes && Buffer.from(bytes))),
  ]
}

function answers(rows: readonly AnswerRow[], groups: readonly Group[]): readonly Appended[] {
  const appended: Appended[] = []
  let between: LogEntry[] = []
  let isWhole = true
  for (const { item, incarnation, seq, checksum, data } of rows) {
    if (data === null) {
      isWhole = true
      between = []
      for (const [offset, place] of groups[item - 1]?.places.entries() ?? []) {
        appended[place] = { seq: seq + offset, incarnation, between: offset === 0 ? between : [] }
      }
      continue
    }
    // What follows a damaged entry is left out: whoever reads that one from the log is told.
    isWhole &&= isIntact({ checksum, data })
    if (isWhole) between.push({ seq, update: new Uint8Array(data) })
  }
  return appended
}

function conflictOr(error: unknown): unknown {
  if (stateOf(error) === STATES.gone && error instanceof Error) return goneError(error.message)
  if (stateOf(error) !== STATES.conflict || !(error instanceof Error)) return translated(error)
  const message = `'${error.message}' no longer has what an update of it builds on: load it anew`
  return new CoeditError('STORAGE_CONFLICT', message, { cause: error })
}
