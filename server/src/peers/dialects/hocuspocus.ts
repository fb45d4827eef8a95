import type { Flush } from '../../document/subscriber.ts'
import { encodePresence, type PresenceEntry, PresenceParts } from '../../protocol/wire/awareness.ts'
import { KEYLESS_KEEP_ALIVE, type KeyedFrames } from '../../protocol/wire/hocuspocus.ts'
import { decodeMessage } from '../../protocol/wire/messages.ts'
import type { Dialect, FlushFrames } from '../dialect.ts'
import { joined, shared } from './shared.ts'

/** Below this a copy costs less than a further write. */
const FEW_BYTES = 4096

const encodedPresence = shared(encodePresence)
const presenceParts = shared((entries: readonly PresenceEntry[]) => new PresenceParts(entries))

/** What all who know a document by its bare name are sent, which is the same key for all of them. */
const sharedFlush = shared((flush: Flush, frames: KeyedFrames) => flushOf(flush, frames))
const sharedPresence = shared((entries: readonly PresenceEntry[], frames: KeyedFrames) =>
  frames.presence(encodedPresence(entries)),
)

/**
 * What @hocuspocus/provider 2.15 to 4.x speaks behind the key of a document (PROTOCOL.md). `decode` is given what follows
 * the key.
 * @param isShared whether the key is the bare name of the document
 */
export function hocuspocus(frames: KeyedFrames, isShared: boolean): Dialect {
  const taken = frames.syncStatus(true)
  const presence = isShared
    ? (entries: readonly PresenceEntry[]) => sharedPresence(entries, frames)
    : (entries: readonly PresenceEntry[]) => frames.presence(encodedPresence(entries))
  return {
    countsEach: true,
    isForeign: () => false,
    decode: (bytes) => decodeMessage(bytes, false),
    flush: isShared ? (flush) => sharedFlush(flush, frames) : (flush) => flushParts(flush, frames),
    updateHead: (byteLength) => frames.updateHead(byteLength),
    presence: (entries) => (entries.length === 0 ? undefined : presence(entries)),
    presenceWithout: (entries, clientIds) => presenceWithout(entries, clientIds, frames),
    step1: (stateVector) => frames.step1(stateVector),
    endOfAnswer: frames.emptyStep2(),
    keepAlive: KEYLESS_KEEP_ALIVE,
    acknowledgement: (count, before) => joined(Array.from({ length: count - before }, () => taken)),
    notTaken: frames.syncStatus(false),
    // A denial would stand for the whole document; that single edits or states were refused these clients cannot be told.
    permissionDenied: () => undefined,
    refused: () => undefined,
    node: () => undefined,
  }
}

function flushOf({ pieces, presence: step }: Flush, frames: KeyedFrames): FlushFrames {
  const updates = pieces.map(({ update }) => frames.update(update))
  const hasPresence = step !== null && step.entries.length > 0
  const whole = hasPresence ? [...updates, frames.presence(encodedPresence(step.entries))] : updates
  return { updates: [joined(updates)], whole: [joined(whole)] }
}

/** The same for one key alone: what is large is not copied. */
function flushParts({ pieces, presence: step }: Flush, frames: KeyedFrames): FlushFrames {
  const updates = pieces.flatMap(({ update }) =>
    update.length < FEW_BYTES ? [frames.update(update)] : [frames.updateHead(update.length), update],
  )
  const hasPresence = step !== null && step.entries.length > 0
  return { updates, whole: hasPresence ? [...updates, frames.presence(encodedPresence(step.entries))] : updates }
}

function presenceWithout(
  entries: readonly PresenceEntry[],
  clientIds: ReadonlySet<number>,
  frames: KeyedFrames,
): readonly Uint8Array[] {
  const { count, parts } = presenceParts(entries).without(clientIds)
  const byteLength = parts.reduce((sum, { length }) => sum + length, 0)
  return count === 0 ? [] : [frames.presenceHead(count, byteLength), ...parts]
}
