import { CoeditError } from '../../common/errors.ts'
import type { Clock } from '../../common/timing.ts'
import type { Config } from '../../config/config.ts'
import type { Documents } from '../../document/documents.ts'
import { Caller } from './caller.ts'

export interface CallersContext {
  readonly config: Config
  readonly clock: Clock
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
  /** How many there are of each address. */
  readonly #held = new Map<string, number>()

  constructor(context: CallersContext) {
    this.#context = context
  }

  /** @throws CoeditError TOO_MANY_CONNECTIONS where an address would have more than it may have connections */
  of({ document, key, user, address = '' }: Calling): Caller {
    const id = JSON.stringify([document, key, user ?? null])
    const known = this.#callers.get(id)
    if (known) return known
    const { config, clock, documents } = this.#context
    const held = this.#held.get(address) ?? 0
    if (address !== '' && held >= config.maxConnectionsPerAddress) {
      throw new CoeditError('TOO_MANY_CONNECTIONS', 'the address has as many clients as it may have')
    }
    this.#held.set(address, held + 1)
    const caller: Caller = new Caller({
      user,
      key,
      config,
      clock,
      join: (participant) => documents.join(document, { participant, onEnd: participant.end }),
      onLeft: () => {
        if (this.#callers.get(id) !== caller) return
        this.#callers.delete(id)
        this.#giveBack(address)
      },
    })
    this.#callers.set(id, caller)
    return caller
  }

  close(): void {
    for (const caller of [...this.#callers.values()]) caller.end()
  }

  #giveBack(address: string): void {
    const held = this.#held.get(address) ?? 0
    if (held > 1) this.#held.set(address, held - 1)
    else this.#held.delete(address)
  }
}
