import { bytes } from '../support/bytes.ts'
import { presence, step1, step2, update } from '../support/messages.ts'
import { Random } from '../support/random.ts'
import type { Frame } from '../support/raw-socket.ts'
import { CRITICAL_NUMBERS, harmBytes } from './hostile-bytes.ts'
import { UpdateSpoiler } from './hostile-updates.ts'
import type { Traffic } from './traffic.ts'

/** What somebody sends in a row. */
export interface Input {
  readonly number: number
  readonly messages: readonly Uint8Array[]
  /** Of the last message's frame: what breaks RFC 6455, or leaves open what comes next. Undefined: a frame as it should be. */
  readonly framing: Frame | undefined
}

const FRAMINGS: readonly Frame[] = [
  ...[0, 1, 3, 8, 9, 10, 11, 15].map((opcode) => ({ opcode })),
  ...[1, 2, 4, 7].map((reserved) => ({ reserved })),
  ...CRITICAL_NUMBERS.map((declaredLength) => ({ declaredLength })),
  { fin: false },
  { masked: false },
]
const STATES = ['null', '{}', '{"name":"x"}', '{', '', '"\\ud800"', '['.repeat(100), '{"__proto__":{}}'] as const

/** An endless row of inputs, each of which is known by the seed and its number alone. */
export class Inputs {
  readonly #seed: number
  readonly #traffic: Traffic
  readonly #spoiler: UpdateSpoiler

  constructor(seed: number, traffic: Traffic) {
    this.#seed = seed
    this.#traffic = traffic
    this.#spoiler = new UpdateSpoiler(traffic.clocks)
  }

  at(number: number): Input {
    const random = Random.at(this.#seed, number)
    const length = random.chance(0.9) ? 1 : 2 + random.below(4)
    const messages = Array.from({ length }, () => this.#message(random))
    return { number, messages, framing: random.chance(0.01) ? random.pick(FRAMINGS) : undefined }
  }

  #message(random: Random): Uint8Array {
    const { messages } = this.#traffic
    const choice = random.below(40)
    if (choice === 0) return random.pick(messages)
    if (choice < 3) return harmBytes(random.pick(messages), random, messages)
    if (choice < 5) return this.#wrapped(this.#harmedUpdate(random), random)
    if (choice < 35) return this.#wrapped(this.#spoilt(random), random)
    if (choice < 38) return presence(...this.#presenceEntries(random))
    return step1(this.#stateVector(random))
  }

  #wrapped(body: Uint8Array, random: Random): Uint8Array {
    return random.chance(0.9) ? update(body) : step2(body)
  }

  #harmedUpdate(random: Random): Uint8Array {
    const { updates } = this.#traffic
    return harmBytes(random.pick(updates), random, updates)
  }

  /** Sometimes its bytes are harmed, too: then they differ from what any Yjs writes in places that the scanner reads last. */
  #spoilt(random: Random): Uint8Array {
    const spoilt = this.#spoiler.spoil(random.pick(this.#traffic.updates), random)
    return random.chance(0.04) ? harmBytes(spoilt, random, this.#traffic.updates) : spoilt
  }

  #presenceEntries(random: Random) {
    return Array.from({ length: random.below(8) }, () => ({
      clientId: random.chance(0.5) ? random.below(10) : random.pick([...this.#traffic.clocks.keys()]),
      clock: random.pick(CRITICAL_NUMBERS),
      state: Buffer.from(random.pick(STATES)),
    }))
  }

  #stateVector(random: Random): Uint8Array {
    const entries = [...this.#traffic.clocks].filter(() => random.chance(0.7))
    const numbers = entries.flatMap(([client, clock]) => [
      random.chance(0.95) ? client : random.pick(CRITICAL_NUMBERS),
      random.chance(0.9) ? random.below(clock + 1) : random.pick(CRITICAL_NUMBERS),
    ])
    return bytes(random.chance(0.95) ? entries.length : random.pick(CRITICAL_NUMBERS), ...numbers)
  }
}
