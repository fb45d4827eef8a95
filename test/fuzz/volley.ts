import { within } from '../bench/within.ts'
import { type Frame, OPCODE, openRawSocket } from '../support/raw-socket.ts'
import { inScope } from '../support/scope.ts'
import type { Inputs } from './inputs.ts'
import { readMessage } from './verdict.ts'

/** Inputs that one connection sends. */
export interface Volley {
  readonly first: number
  readonly last: number
  readonly frames: readonly Frame[]
  /** What has to become of the connection; `any` where a broken frame or a token leaves that open. */
  readonly end: 'kept' | 'refused' | 'any'
}

/** Longest volley; how long the next may be depends on where it starts, so that some end before an input is refused. */
export const MAX_INPUTS = 16
/** Far above what a busy machine takes. */
export const LIMIT_MS = 30_000
const NORMAL = Uint8Array.of(0x03, 0xe8)

/** Cuts a range of inputs into volleys: a connection that is closed for an input sends no other behind it. */
export function* volleysOf(inputs: Inputs, first: number, last: number): Generator<Volley> {
  for (let next = first; next <= last; ) {
    const frames: Frame[] = []
    const start = next
    const limit = Math.min(last, start + (start % MAX_INPUTS))
    let end: Volley['end'] = 'kept'
    while (end === 'kept' && next <= limit) {
      const { messages, framing } = inputs.at(next++)
      end = load(frames, messages)
      if (!framing || end !== 'kept') continue
      frames.push({ ...frames.pop(), ...framing })
      end = 'any'
    }
    yield { first: start, last: next - 1, frames, end }
  }
}

/** Adds a frame a message, up to one that ends the connection. */
function load(frames: Frame[], messages: readonly Uint8Array[]): Volley['end'] {
  for (const payload of messages) {
    frames.push({ payload })
    const message = readMessage(payload)
    if (!message) return 'refused'
    if (message.type === 'token') return 'any'
  }
  return 'kept'
}

/** Sends a volley over a connection of its own. Resolves to what should not be, in words, or undefined. */
export function fire({ frames, end }: Volley, url: string, document: string): Promise<string | undefined> {
  return inScope(async (release) => {
    const headers = { 'Sec-WebSocket-Protocol': 'coedit.v1' }
    const socket = await openRawSocket({ release, url, target: `/${document}`, headers })
    // The server's Step1: from now on it reads each message as it comes.
    await within(
      LIMIT_MS,
      'Step1',
      socket.until((messages) => messages.length > 0),
    )
    socket.send(...frames)
    if (end === 'any') {
      await within(LIMIT_MS, 'the frames to be read', socket.flushed())
      return undefined
    }
    if (end === 'kept') {
      socket.send({ opcode: OPCODE.ping })
      await within(LIMIT_MS, 'a pong', socket.untilPong())
      socket.send({ opcode: OPCODE.close, payload: NORMAL })
    }
    const { code, reason } = await within(LIMIT_MS, 'the end', socket.closed)
    const expected = end === 'kept' ? 1000 : 1008
    return code === expected ? undefined : `closed with ${code} '${reason}', expected ${expected}`
  })
}
