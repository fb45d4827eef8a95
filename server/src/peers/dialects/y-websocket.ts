import type { Flush } from '../../document/subscriber.ts'
import { encodePresence, type PresenceEntry, PresenceParts } from '../../protocol/wire/awareness.ts'
import {
  acknowledgementFrame,
  EMPTY_STEP2_FRAME,
  KEEP_ALIVE_FRAME,
  nodeFrame,
  permissionDeniedFrame,
  presenceFrame,
  presenceHead,
  REFUSAL_FRAMES,
  step1Frame,
  updateFrame,
  updateHead,
} from '../../protocol/wire/frames.ts'
import { decodeMessage } from '../../protocol/wire/messages.ts'
import type { Dialect, FlushFrames } from '../dialect.ts'

const presence = shared((entries: readonly PresenceEntry[]) =>
  entries.length === 0 ? undefined : presenceFrame(encodePresence(entries)),
)

const presenceParts = shared((entries: readonly PresenceEntry[]) => new PresenceParts(entries))

/** What y-websocket 1.x to 3.x speaks, and `coedit.v1`, which adds to it (PROTOCOL.md). */
export const yWebsocket: Dialect = {
  decode: decodeMessage,
  flush: shared(framesOf),
  updateHead,
  presence,
  presenceWithout,
  step1: step1Frame,
  endOfAnswer: EMPTY_STEP2_FRAME,
  keepAlive: KEEP_ALIVE_FRAME,
  acknowledgement: acknowledgementFrame,
  permissionDenied: permissionDeniedFrame,
  node: nodeFrame,
  refused: (what, reason, isOwn) => (isOwn ? REFUSAL_FRAMES[what] : permissionDeniedFrame(reason)),
}

function presenceWithout(entries: readonly PresenceEntry[], clientIds: ReadonlySet<number>): readonly Uint8Array[] {
  const { count, parts } = presenceParts(entries).without(clientIds)
  const byteLength = parts.reduce((sum, { length }) => sum + length, 0)
  return count === 0 ? [] : [presenceHead(count, byteLength), ...parts]
}

function framesOf({ pieces, presence: step }: Flush): FlushFrames {
  const frames = pieces.map(({ update }) => updateFrame(update))
  const updates = joined(frames)
  const shown = step && presence(step.entries)
  return { updates, whole: shown ? joined([...frames, shown]) : updates }
}

function joined(frames: readonly Buffer[]): Buffer {
  return frames.length === 1 && frames[0] ? frames[0] : Buffer.concat(frames)
}

/** Makes something of each object once, however many ask for it while the object is there. */
function shared<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const made = new WeakMap<K, { readonly value: V }>()
  return (key) => {
    const known = made.get(key)
    if (known) return known.value
    const value = make(key)
    made.set(key, { value })
    return value
  }
}
