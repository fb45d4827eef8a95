import { TrustedProxies } from '../common/addresses.ts'
import { CoeditError } from '../common/errors.ts'
import type { Config } from '../config/config.ts'

/** Gives a place back; once is enough. */
export type Leave = () => void

/** How many connections there are under each key, up to a limit. */
class Quota {
  readonly #max: number
  readonly #held = new Map<string, number>()

  constructor(max: number) {
    this.#max = max
  }

  /** Undefined where all places are taken. Without a key nothing is counted. */
  take(key: string | undefined): Leave | undefined {
    if (key === undefined) return () => undefined
    const held = this.#held.get(key) ?? 0
    if (held >= this.#max) return undefined
    this.#held.set(key, held + 1)
    return once(() => this.#giveBack(key))
  }

  #giveBack(key: string): void {
    const held = this.#held.get(key) ?? 0
    if (held > 1) this.#held.set(key, held - 1)
    else this.#held.delete(key)
  }
}

/** Who may connect while how many are connected: WebSockets and event streams, each in three respects. */
export class Places {
  readonly #proxies: TrustedProxies
  readonly #addresses: Quota
  readonly #users: Quota
  readonly #documents: Quota

  constructor(config: Config) {
    this.#proxies = new TrustedProxies(config.trustProxy)
    this.#addresses = new Quota(config.maxConnectionsPerAddress)
    this.#users = new Quota(config.maxConnectionsPerUser)
    this.#documents = new Quota(config.maxConnectionsPerDocument)
  }

  /** Whose request it is, see TrustedProxies; undefined for this machine's own. */
  addressOf(remote: string | undefined, forwardedFor: string | undefined): string | undefined {
    return this.#proxies.client(remote, forwardedFor)
  }

  /** A place for an address, to be taken before anything else is done for it; undefined where it has all it may have. */
  forAddress(address: string | undefined): Leave | undefined {
    return this.#addresses.take(address)
  }

  /**
   * A place in a document for a user.
   * @throws CoeditError TOO_MANY_CONNECTIONS where one of the two has all it may have
   */
  inDocument(document: string, user: string | undefined): Leave {
    const leaveUser = this.#users.take(user)
    const leaveDocument = leaveUser && this.#documents.take(document)
    if (!leaveDocument) {
      leaveUser?.()
      throw new CoeditError('TOO_MANY_CONNECTIONS', 'the document or the user has as many connections as it may have')
    }
    return () => {
      leaveUser()
      leaveDocument()
    }
  }
}

function once(action: () => void): Leave {
  let isDone = false
  return () => {
    if (!isDone) action()
    isDone = true
  }
}
