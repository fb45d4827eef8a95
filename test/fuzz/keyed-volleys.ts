import { readContent, readKey } from '../../server/src/protocol/wire/hocuspocus.ts'
import { within } from '../bench/within.ts'
import { bytes } from '../support/bytes.ts'
import { stateless, token } from '../support/keyed-client.ts'
import { step1, step2 } from '../support/messages.ts'
import { Random } from '../support/random.ts'
import { type Frame, OPCODE, openRawSocket } from '../support/raw-socket.ts'
import { inScope } from '../support/scope.ts'
import { harmBytes } from './hostile-bytes.ts'
import type { Inputs } from './inputs.ts'
import { readMessage } from './verdict.ts'
import { LIMIT_MS, MAX_INPUTS, type Volley } from './volley.ts'

const NOT_UTF8 = Uint8Array.of(4, 0xc3, 0x28, 0xff, 0xfe)
/** More than a server answers at once. */
const FLOOD = 100
/** Behind a message that is waited for, each one takes a turn of the server's event loop, which may be as busy as others are. */
const KEPT_LIMIT_MS = 4 * LIMIT_MS
/** Closings that are a refusal: of what RFC 6455, the limits or the protocol forbid, and of a client that mistakes the path. */
const REFUSALS = [1002, 1003, 1007, 1008, 1009, 4400]

/**
 * The same inputs as one of @hocuspocus/provider would send them, each behind a key, and among them what only that
 * protocol has: floods of tokens, documents and sessions, forged acknowledgements, names that are none. Whether they are
 * refused is seen late, if at all, so that what a volley has to be is either `kept` or `any`.
 */
export function* keyedVolleysOf(inputs: Inputs, first: number, last: number, document: string): Generator<Volley> {
  for (let next = first; next <= last; ) {
    const frames: Frame[] = []
    const start = next
    const limit = Math.min(last, start + (start % MAX_INPUTS))
    let end: Volley['end'] = 'kept'
    while (end === 'kept' && next <= limit) {
      const { number, messages, framing } = inputs.at(next++)
      const random = new Random(number)
      const keyed = messages.map((message) => bytes(keyOf(document, random), message))
      if (random.chance(0.05)) keyed.push(harmBytes(keyed[0], random, keyed))
      if (random.chance(0.3)) keyed.unshift(...ofItsOwn(document, random))
      frames.push(...keyed.map((payload) => ({ payload })))
      if (framing) frames.push({ ...frames.pop(), ...framing })
      if (framing || !frames.every(({ payload }) => isWellFormed(payload))) end = 'any'
    }
    yield { first: start, last: next - 1, frames, end }
  }
}

/** The document that is attacked, most of the time, by its name or as one of several sessions. */
function keyOf(document: string, random: Random): string | Uint8Array {
  const choice = random.below(40)
  if (choice < 30) return document
  if (choice < 34) return `${document}\0${random.below(3)}`
  const odd = ['', '\0', `\0${document}`, `${document}\0\0\0`, `${document}\0${'x'.repeat(300)}`, 'x'.repeat(5000)]
  return choice === 39
    ? NOT_UTF8
    : random.pick([...odd, '..', `${document}/../other`, '__proto__', `other ${random.below(5)}`])
}

/** What only this protocol has. */
function ofItsOwn(document: string, random: Random): Uint8Array[] {
  const say = (...messages: readonly Uint8Array[]) => messages.map((message) => bytes(document, message))
  const flood = (make: (n: number) => Uint8Array) => Array.from({ length: FLOOD }, (_, n) => make(n))
  switch (random.below(8)) {
    case 0:
      return flood((n) => bytes(document, token(`wrong ${n}`)))
    case 1:
      return flood((n) => bytes(`${document}\0${n}`, token('')))
    case 2:
      return flood((n) => bytes(`new ${n}`, step1()))
    case 3:
      // That an edit is durable, or not, is said by servers alone.
      return flood((n) => bytes(document, 8, n % 2))
    case 4:
      return say(stateless('x'.repeat(70_000)), stateless('😀'), Uint8Array.of(3))
    case 5:
      return say(Uint8Array.of(7), token('', '4.8.0'), step1(), step2())
    case 6:
      return say(token('x'.repeat(100_000)), token(''), step1(), step1(), step2())
    default:
      return [Uint8Array.of(random.below(256)), ...say(Uint8Array.of(7), Uint8Array.of(7))]
  }
}

/** Whether it is no reason to close the socket, whoever sends it. */
function isWellFormed(payload: Uint8Array = new Uint8Array()): boolean {
  if (payload.length === 1) return true
  try {
    const { key, message } = readKey(payload)
    return key !== '' && (readContent(message).type !== 'session' || readMessage(message) !== null)
  } catch {
    return false
  }
}

/** Sends a volley over a socket of its own on which the document is open. Resolves to what should not be, or undefined. */
export function fireKeyed({ frames, end }: Volley, url: string, document: string): Promise<string | undefined> {
  return inScope(async (release) => {
    const socket = await openRawSocket({ release, url, target: '/' })
    const opening = [token('', '4.8.0'), step1()].map((message) => ({ payload: bytes(document, message) }))
    socket.send(...opening)
    // Its scope, and the server's Step1 and answer: from now on each message is for a document that is open.
    await within(
      LIMIT_MS,
      'the document to be open',
      socket.until((messages) => messages.length > 2),
    )
    socket.send(...frames)
    await within(LIMIT_MS, 'the frames to be read', socket.flushed())
    let closed: number | undefined
    void socket.closed.then(({ code }) => {
      closed = code
    })
    if (end === 'kept') {
      socket.send({ opcode: OPCODE.ping })
      await within(KEPT_LIMIT_MS, 'a pong', socket.untilPong())
      return closed === undefined ? undefined : `closed with ${closed}, expected to be kept`
    }
    return closed === undefined || REFUSALS.includes(closed) ? undefined : `closed with ${closed}`
  })
}
