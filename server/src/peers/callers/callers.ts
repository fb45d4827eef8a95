import { CoeditError } from '../../common/errors.ts'
import type { Meters } from '../../common/meters.ts'
import { Quota } from '../../common/quota.ts'
import type { Clock } from '../../common/timing.ts'
import type { Config } from '../../config/config.ts'
import type { Documents } from '../../document/documents.ts'
import { Caller } from './caller.ts'

export interface CallersContext {
  readonly config: Config
  readonly clock: Clock
  readonly meters: Meters
  readonly documents: Documents
}

/** Who calls. */
export interface Calling {
  readonly document: string
  /** A secret of the client, by which it is known again at each server. */
  readonly key: string
  readonly user: string | undefined
  readonly address: string | undefined
}

/** Those who have called of late. */
export class Callers {
  readonly #context: CallersContext
  readonly #callers = new Map<string, Caller>()
  readonly #addresses: Quota

  constructor(context: CallersContext) {
    this.#context = context
    this.#addresses = new Quota(context.config.maxConnectionsPerAddress)
  }

  /** @throws CoeditError TOO_MANY_CONNECTIONS where an address would have more than it may have connections */
  of({ document, key, user, address }: Calling): Caller {
    const id = JSON.stringify([document, key, user ?? null])
    const known = this.#callers.get(id)
    if (known) return known
    const { config, clock, meters, documents } = this.#context
    if (!this.#addresses.hasPlace(address)) {
      throw new CoeditError('TOO_MANY_CONNECTIONS', 'the address has as many clients as it may have')
    }
    this.#addresses.take(address)
    const caller: Caller = new Caller({
      user,
      key,
      config,
      clock,
      meters,
      join: (participant) => documents.join(document, { participant, onEnd: participant.end }),
      onLeft: () => {
        if (this.#callers.get(id) !== caller) return
        this.#callers.delete(id)
        this.#addresses.giveBack(address)
      },
    })
    this.#callers.set(id, caller)
    return caller
  }

  close(): void {
    for (const caller of [...this.#callers.values()]) caller.end()
  }
}
