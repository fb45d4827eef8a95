import { CoeditError } from '../common/errors.ts'
import type { Log } from '../common/log.ts'
import type { Cancel, Clock } from '../common/timing.ts'
import type { Config } from '../config/config.ts'
import type {
  Awaitable,
  ConnectionFacts,
  EventOf,
  HookCounts,
  HookName,
  Hooks,
  ListenerName,
  Listeners,
  Seed,
} from './hooks.ts'

/** At shutdown: how long hooks may still take. */
const CLOSE_GRACE_MS = 2_000

export interface HookCallsContext {
  readonly config: Pick<Config, 'hookTimeoutMs' | 'maxHookCalls'>
  readonly clock: Clock
  readonly log: Log
}

type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }
type Call<T> = (signal: AbortSignal) => Awaitable<T>
type Counts = { -readonly [Fact in keyof HookCounts]: HookCounts[Fact] }

/** Calls the hooks of an embedding app, and lets nothing through of what they do: no throw, no delay, no pile of calls. */
export class HookCalls {
  readonly #hooks: Hooks
  readonly #context: HookCallsContext
  readonly #counts = noCounts()
  /** The calls under way, by what gives them up. */
  readonly #underWay = new Map<AbortController, Promise<unknown>>()
  /** How many of these can be dropped. */
  #offered = 0
  #isDropping = false
  #closing: 'no' | 'grace' | 'over' = 'no'

  /** @throws CoeditError OPTION_INVALID for a hook that does not exist or is no function */
  constructor(hooks: Hooks, context: HookCallsContext) {
    checkHooks(hooks)
    this.#hooks = hooks
    this.#context = context
  }

  /** How the calls have ended so far. */
  get counts(): Readonly<Record<HookName, HookCounts>> {
    return structuredClone(this.#counts)
  }

  /** Whether the server closes, so that what is to be told is told at once. */
  get isClosing(): boolean {
    return this.#closing !== 'no'
  }

  has(hook: HookName): boolean {
    return this.#hooks[hook] !== undefined
  }

  /**
   * Asks what a new document starts with; `use` turns the answer into what is needed. Resolves undefined where there is
   * no hook or no answer.
   * @throws CoeditError HOOK_FAILED when either throws or it takes too long
   */
  async load<T>(name: string, use: (seed: Seed) => T): Promise<T | undefined> {
    const { load } = this.#hooks
    if (!load) return undefined
    const answer = await this.#call('load', name, async (signal) => {
      const seed = await load.call(this.#hooks, { name, signal })
      return seed === undefined ? undefined : use(seed)
    })
    if (answer.ok) return answer.value
    throw new CoeditError('HOOK_FAILED', `the hook load failed for '${name}'`, { cause: answer.error })
  }

  /** Tells a hook, and resolves when that has ended, well or not. The caller sees to it that calls do not pile up. */
  async tell<Name extends ListenerName>(hook: Name, event: EventOf<Name>): Promise<void> {
    const listeners: Listeners = this.#hooks
    if (listeners[hook]) await this.#call(hook, event.name, () => listeners[hook]?.(event))
  }

  /** Tells a hook unless `maxHookCalls` such calls are under way. Resolves whether it was told. */
  async offer<Name extends ListenerName>(hook: Name, event: EventOf<Name>): Promise<boolean> {
    if (!this.has(hook)) return true
    if (this.#offered >= this.#context.config.maxHookCalls) {
      this.#drop(hook)
      return false
    }
    this.#isDropping = false
    this.#offered++
    await this.tell(hook, event)
    this.#offered--
    return true
  }

  /** Tells that a connection has joined. Gives what tells that it is gone: after that, and only if that was told. */
  connected(facts: ConnectionFacts): () => void {
    if (!this.has('disconnect')) {
      void this.offer('connect', facts)
      return tellsNobody
    }
    let wasTold: boolean | undefined
    const telling = this.offer('connect', facts).then((told) => {
      wasTold = told
    })
    const part = () => {
      if (wasTold) void this.offer('disconnect', facts)
    }
    // Where it is known already this is told at once: the document may be closed in the next step.
    return () => {
      if (wasTold === undefined) void telling.then(part)
      else part()
    }
  }

  /** From now on changes are told at once, and what has not ended in 2 s is given up. */
  close(): void {
    this.#closing = 'grace'
    this.#context.clock.after(CLOSE_GRACE_MS, () => {
      this.#closing = 'over'
      for (const call of this.#underWay.keys()) call.abort(serverClosed())
    })
  }

  /** Resolves when no call is under way. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values())
  }

  #call<T>(hook: HookName, name: string, call: Call<T>): Promise<Answer<T>> {
    const controller = new AbortController()
    const answer = this.#attempt(hook, name, call, controller)
    this.#underWay.set(controller, answer)
    return answer
  }

  async #attempt<T>(hook: HookName, name: string, call: Call<T>, controller: AbortController): Promise<Answer<T>> {
    const { signal } = controller
    const counts = this.#counts[hook]
    const cancel = this.#limit(controller)
    try {
      counts.calls++
      return { ok: true, value: await Promise.race([answerOf(call, signal), aborted(signal)]) }
    } catch (error) {
      counts[signal.aborted ? 'timeouts' : 'failures']++
      this.#context.log.error({ err: error, hook, document: name }, 'a hook failed')
      return { ok: false, error }
    } finally {
      cancel()
      this.#underWay.delete(controller)
    }
  }

  /** Gives the call up when its time is over, which may be at once. */
  #limit(controller: AbortController): Cancel {
    if (this.#closing === 'over') controller.abort(serverClosed())
    const { clock, config } = this.#context
    const tooLong = () => controller.abort(new Error(`it took more than ${config.hookTimeoutMs} ms`))
    return clock.after(config.hookTimeoutMs, tooLong)
  }

  #drop(hook: HookName): void {
    this.#counts[hook].dropped++
    if (this.#isDropping) return
    this.#isDropping = true
    this.#context.log.warn({ hook, underWay: this.#offered }, 'calls of hooks are dropped: too many are under way')
  }
}

function tellsNobody(): void {}

/** A throw becomes a rejection, and what was given up already is not called. */
async function answerOf<T>(call: Call<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  return call(signal)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}

function serverClosed(): CoeditError {
  return new CoeditError('SERVER_CLOSED', 'the server closed before the hook had ended')
}

function noCounts(): Record<HookName, Counts> {
  const none = () => ({ calls: 0, failures: 0, timeouts: 0, dropped: 0 })
  return { load: none(), commit: none(), change: none(), connect: none(), disconnect: none(), close: none() }
}

function checkHooks(hooks: Hooks): void {
  const names = Object.keys(noCounts())
  for (const [name, hook] of Object.entries(hooks)) {
    if (!names.includes(name)) {
      throw new CoeditError('OPTION_INVALID', `unknown hook ${name}: expected one of ${names.join(', ')}`)
    }
    if (hook !== undefined && typeof hook !== 'function') {
      throw new CoeditError('OPTION_INVALID', `hook ${name} is ${String(hook)}: expected a function`)
    }
  }
}
