import { randomInt } from 'node:crypto'
import { CoeditError, goneError } from '../../common/errors.ts'
import type { Log } from '../../common/log.ts'
import type { Clock } from '../../common/timing.ts'
import type { Appended, AppendRequest, LogEntry, WriteKey } from '../document-store.ts'
import { isIntact, pack } from './checked.ts'
import type { Lane } from './lane.ts'
import { isAnswer, STATES, stateOf, translated } from './pg-errors.ts'

/** By place: with `data`, an entry that was written since the base; without, the first number of a document's entries. */
interface Answer {
  /** Which document of the batch, from 1. */
  readonly items: readonly number[]
  readonly incarnations: readonly number[]
  readonly seqs: readonly number[]
  readonly checksums: readonly number[]
  readonly data: readonly (Uint8Array | null)[]
  /** Whether the other nodes were told. */
  readonly told: boolean
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

/** What became of a batch. */
export interface AppendedBatch {
  readonly appended: readonly Appended[]
  /** Whether the other nodes were told of it. */
  readonly isTold: boolean
}

export interface AppenderContext {
  readonly lane: Lane
  /** As whom it tells the other nodes by the database; undefined where that is done otherwise. */
  readonly sender: string | undefined
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
  async append(batch: readonly AppendRequest[]): Promise<AppendedBatch> {
    const groups = grouped(batch)
    const holder = groups.some(({ cursors }) => cursors.length > 0) ? await this.#context.holder() : null
    const answer = await this.#send(parameters(groups, this.#context.clock.now(), holder))
    return { appended: answer ? appendedBy(answer, groups) : [], isTold: answer?.told === true }
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

  async #send(values: readonly unknown[]): Promise<Answer | undefined> {
    let { sender } = this.#context
    for (;;) {
      const node = this.#node ?? (await this.#register())
      const number = this.#batch + 1
      let attempts = 0
      try {
        const [answer] = await this.#context.lane.run((link) => {
          if (attempts++ > 0) sender = undefined
          return link.query<Answer>({ name: 'append', text: APPEND, values: [node, number, ...values, sender ?? null] })
        })
        this.#batch = number
        return answer
      } catch (error) {
        const state = stateOf(error)
        if (state === undefined) throw error
        if (attempts === 1 && sender !== undefined && !isAnswer(state)) {
          // All of it may be written, and telling the others have failed: the same batch without that shows it.
          sender = undefined
          continue
        }
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
CALL coedit.append_and_tell(
  $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, NULL, NULL, NULL, NULL, NULL, NULL
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

/** The parameters of coedit.append_and_tell between the number of the batch and the sender. */
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

function appendedBy({ items, incarnations, seqs, checksums, data }: Answer, groups: readonly Group[]): Appended[] {
  const appended: Appended[] = []
  let between: LogEntry[] = []
  let isWhole = true
  for (const [row, item] of items.entries()) {
    const seq = seqs[row] ?? 0
    const bytes = data[row] ?? null
    if (bytes === null) {
      isWhole = true
      between = []
      const incarnation = incarnations[row] ?? 0
      for (const [offset, place] of groups[item - 1]?.places.entries() ?? []) {
        appended[place] = { seq: seq + offset, incarnation, between: offset === 0 ? between : [] }
      }
      continue
    }
    // What follows a damaged entry is left out: whoever reads that one from the log is told.
    isWhole &&= isIntact({ checksum: checksums[row] ?? 0, data: bytes })
    if (isWhole) between.push({ seq, update: new Uint8Array(bytes) })
  }
  return appended
}

function conflictOr(error: unknown): unknown {
  if (stateOf(error) === STATES.gone && error instanceof Error) return goneError(error.message)
  if (stateOf(error) !== STATES.conflict || !(error instanceof Error)) return translated(error)
  const message = `'${error.message}' no longer has what an update of it builds on: load it anew`
  return new CoeditError('STORAGE_CONFLICT', message, { cause: error })
}
