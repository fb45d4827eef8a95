import { createHash } from 'node:crypto'
import type { Cancel, Clock } from '../common/timing.ts'
import type { NodeItem } from '../protocol/wire/node-messages.ts'

/** How long a server may take to say that it asks a connection, and then to say what that answered. */
export const ANSWER_MS = 600
const VERDICT_MS = 3_000
/** How long one that was heard is known to live, though it may hear nobody. */
const LIVES_MS = 800
const DIGEST_BYTES = 16

/** An id of a document's presence, and the server that says whose it is. */
interface Claimed {
  readonly node: number
  readonly document: string
  readonly clientId: number
}

interface Contest extends Claimed {
  readonly user: Uint8Array
  readonly verdict: Promise<boolean>
  readonly end: (isAlive: boolean) => void
  deadline: Cancel
}

export interface ContestsContext {
  readonly clock: Clock
  readonly send: (item: NodeItem) => void
  /** Whether this server hears nobody. */
  readonly isDeaf: () => boolean
  readonly heardAt: (node: number) => number | undefined
  /** To be told of a server that does not answer. */
  readonly suspect: (node: number) => void
}

/**
 * Questions to other servers whether a connection of theirs still lives, since somebody here claims its id. A server that says
 * nothing is asked again as long as it is known to live, or nobody is heard at all.
 */
export class PresenceContests {
  readonly #context: ContestsContext
  readonly #open = new Set<Contest>()

  constructor(context: ContestsContext) {
    this.#context = context
  }

  /** Resolves with whether the connection lives, so that the claim fails. The same question is asked once. */
  begin({ node, document, clientId }: Claimed, user: string | undefined): Promise<boolean> {
    const digest = digestOf(user)
    const same = this.#matching({ node, document, clientId }).find((contest) => isSame(contest.user, digest))
    if (same) return same.verdict
    let end: (isAlive: boolean) => void = () => undefined
    const verdict = new Promise<boolean>((resolve) => {
      end = resolve
    })
    const deadline = () => undefined
    const contest: Contest = { node, document, clientId, user: digest, verdict, end, deadline }
    this.#open.add(contest)
    this.#pose(contest, ANSWER_MS)
    return verdict
  }

  /** The server has asked its connection, and will say what that answered. */
  asked(claimed: Claimed): void {
    for (const contest of this.#matching(claimed)) this.#await(contest, VERDICT_MS)
  }

  /** Ends all that are about this. */
  settle(about: Partial<Claimed>, isAlive: boolean): void {
    for (const contest of this.#matching(about)) this.#settle(contest, isAlive)
  }

  #pose(contest: Contest, patienceMs: number): void {
    const { node, document, clientId, user } = contest
    this.#context.send({ type: 'contest', node, document, clientId, user })
    this.#await(contest, patienceMs)
  }

  #await(contest: Contest, ms: number): void {
    const { clock, isDeaf, heardAt, suspect } = this.#context
    contest.deadline()
    contest.deadline = clock.after(ms, () => {
      const { node } = contest
      const leftMs = (heardAt(node) ?? 0) + LIVES_MS - clock.now()
      if (isDeaf()) this.#pose(contest, ANSWER_MS)
      // It lives, but hears nobody at present.
      else if (leftMs > 0) this.#pose(contest, leftMs)
      else {
        suspect(node)
        this.#settle(contest, false)
      }
    })
  }

  #settle(contest: Contest, isAlive: boolean): void {
    contest.deadline()
    if (this.#open.delete(contest)) contest.end(isAlive)
  }

  #matching({ node, document, clientId }: Partial<Claimed>): Contest[] {
    return [...this.#open].filter(
      (contest) =>
        (node === undefined || contest.node === node) &&
        (document === undefined || contest.document === document) &&
        (clientId === undefined || contest.clientId === clientId),
    )
  }
}

/** Whether a user is the one that another server has asked about. */
export function isDigestOf(user: string, digest: Uint8Array): boolean {
  return isSame(digestOf(user), digest)
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** No user has the digest of nobody. */
function digestOf(user: string | undefined): Uint8Array {
  if (user === undefined) return new Uint8Array(0)
  return createHash('sha256').update(user).digest().subarray(0, DIGEST_BYTES)
}
