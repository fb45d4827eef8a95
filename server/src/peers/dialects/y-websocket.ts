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
import { isFromProvider } from '../../protocol/wire/hocuspocus.ts'
import { decodeMessage } from '../../protocol/wire/messages.ts'
import type { Dialect, FlushFrames } from '../dialect.ts'
import { joined, shared } from './shared.ts'

const presence = shared((entries: readonly PresenceEntry[]) =>
  entries.length === 0 ? undefined : presenceFrame(encodePresence(entries)),
)

const presenceParts = shared((entries: readonly PresenceEntry[]) => new PresenceParts(entries))

/** What y-websocket 1.x to 3.x speaks, and `coedit.v1`, which adds to it (PROTOCOL.md). */
export const yWebsocket: Dialect = {
  countsEach: false,
  isForeign: isFromProvider,
  decode: decodeMessage,
  flush: shared(framesOf),
  updateHead,
  presence,
  presenceWithout,
  step1: step1Frame,
  endOfAnswer: EMPTY_STEP2_FRAME,
  keepAlive: KEEP_ALIVE_FRAME,
  acknowledgement: acknowledgementFrame,
  notTaken: undefined,
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
  const updates = [joined(frames)]
  const shown = step && presence(step.entries)
  return { updates, whole: shown ? [joined([...frames, shown])] : updates }
}
