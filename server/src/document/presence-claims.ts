import type { Participant } from './participant.ts'

/** What a connection has of the presence of a document. */
export interface Claims {
  /** The id that is its own. */
  strong: number | undefined
  /** All that it owns, its own among them; undefined before the first. Who only reads hardly ever shows anything. */
  ids: Set<number> | undefined
  /** The id that it announced alone first, granted or not. */
  announced: number | undefined
  /** The version when it came: who left before was never shown to it. */
  readonly since: number
  /** Whether its last state was refused. */
  isRefused: boolean
  /** When it was last shown those whom it had lost. */
  remindedAt: number
}

const NONE: ReadonlySet<number> = new Set()

/** Who takes part in the presence of a document, and which ids each of them holds. */
export class Claimants {
  readonly #claims = new Map<Participant, Claims>()

  get size(): number {
    return this.#claims.size
  }

  of(participant: Participant): Claims | undefined {
    return this.#claims.get(participant)
  }

  idsOf(participant: Participant): ReadonlySet<number> {
    return this.#claims.get(participant)?.ids ?? NONE
  }

  /** @param since the version of the presence that it is shown first */
  add(participant: Participant, since: number): void {
    this.#claims.set(participant, {
      strong: undefined,
      ids: undefined,
      announced: undefined,
      since,
      isRefused: false,
      remindedAt: Number.NEGATIVE_INFINITY,
    })
  }

  delete(participant: Participant): void {
    this.#claims.delete(participant)
  }

  /** Takes an id from who holds it, and may claim it again. */
  disclaim(participant: Participant, clientId: number): void {
    const claims = this.#claims.get(participant)
    if (!claims) return
    claims.ids?.delete(clientId)
    if (claims.strong === clientId) claims.strong = undefined
  }
}

/** Whether an id is not what the connection is known by, nor another one that it holds. */
export function isOther(claims: Claims, clientId: number): boolean {
  return clientId !== claims.announced && !claims.ids?.has(clientId)
}
