import type { Meters } from '../common/meters.ts'
import type { Clock } from '../common/timing.ts'
import { type CallAnswer, type CallContext, takeCall } from '../peers/callers/call.ts'
import { Callers } from '../peers/callers/callers.ts'
import { messagesIn } from '../protocol/wire/bodies.ts'
import type { Admission } from './admission.ts'
import type { Exchange } from './event-streams.ts'

export interface CallsContext extends CallContext {
  readonly clock: Clock
  readonly meters: Meters
  readonly admission: Admission
}

/** One request of a client that has no WebSocket. */
export interface Called {
  readonly name: string
  /** The secret of the client. */
  readonly key: string
  readonly isReadOnly: boolean
  /** Whether it is the last one. */
  readonly isLeaving: boolean
  /** How many messages with edits it has sent before. */
  readonly sentBefore: number
  readonly body: () => Promise<ArrayBuffer>
}

/** Clients that have no WebSocket, and call instead. */
export class Calls {
  readonly callers: Callers
  readonly #context: CallsContext

  constructor(context: CallsContext) {
    this.callers = new Callers(context)
    this.#context = context
  }

  /**
   * Admits a request like any other visitor, and takes the messages in it. Resolves with undefined where nobody is there to
   * be answered any more. Rejects as `Admission` and `takeCall` do.
   */
  async take({ incoming, outgoing }: Exchange, called: Called): Promise<CallAnswer | undefined> {
    const { admission } = this.#context
    const { name, key, isReadOnly, isLeaving, sentBefore } = called
    const visitor = admission.knock(incoming, outgoing, name)
    const { address } = visitor.request
    const lease = await admission.admit(visitor, () => undefined)
    if (!lease) return undefined
    const { user, access } = lease.permit
    const messages = messagesIn(Buffer.from(await called.body()))
    const caller = this.callers.of({ document: name, key, user, address })
    caller.heard(isLeaving)
    const terms = { document: name, caller, access: isReadOnly ? 'read' : access, sentBefore } as const
    return takeCall(messages, terms, this.#context)
  }

  close(): void {
    this.callers.close()
  }
}
