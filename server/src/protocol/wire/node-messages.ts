import type { PresenceEntry } from './awareness.ts'
import { MessageReader } from './reader.ts'
import { ByteWriter } from './writer.ts'

/** What one server tells the others that serve the same documents. */
export interface NodeMessage {
  /** Which server it is. */
  readonly node: number
  /** How many messages it has sent, this one included: who misses one can tell. */
  readonly number: number
  readonly items: readonly NodeItem[]
}

/** `node` is the server that is meant; 0 for all. */
export type NodeItem =
  /** It shows the document to somebody, and wants to know who is at the others. */
  | { readonly type: 'ask'; readonly node: number; readonly document: string }
  /** Who is at it; where `isWhole`, all of them. */
  | {
      readonly type: 'states'
      readonly document: string
      readonly isWhole: boolean
      readonly entries: readonly NodeEntry[]
    }
  /** It shows the document to nobody any more. */
  | { readonly type: 'leave'; readonly document: string }
  /** Whether the connection that holds this id is there, for somebody of the user with this digest (empty: of nobody). */
  | {
      readonly type: 'contest'
      readonly node: number
      readonly document: string
      readonly clientId: number
      readonly user: Uint8Array
    }
  /** The connection that holds an id is being asked. */
  | { readonly type: 'asking'; readonly node: number; readonly document: string; readonly clientId: number }
  /** The connection that holds an id is there. */
  | { readonly type: 'held'; readonly node: number; readonly document: string; readonly clientId: number }
  /** Nobody at it holds this id any more, but perhaps somebody elsewhere: that is no departure. */
  | { readonly type: 'free'; readonly document: string; readonly clientId: number }
  /** Another server was shown this id with a clock that is not below the one that it says. */
  | {
      readonly type: 'exceed'
      readonly node: number
      readonly document: string
      readonly clientId: number
      readonly clock: number
    }
  /** This server does not answer. */
  | { readonly type: 'suspect'; readonly node: number }
  /** Everybody, or this user alone, is to be disconnected from the document. */
  | { readonly type: 'disconnect'; readonly document: string; readonly user: string | undefined }

/** What a server shows of one that is at it. */
export interface NodeEntry extends PresenceEntry {
  /** The clock by which its client counts; no higher than `clock`, with which it is shown. */
  readonly ownClock: number
  /** Whether it is what its connection is known by. */
  readonly strong: boolean
  /** When it was claimed, in whole milliseconds of the epoch. */
  readonly claimedAt: number
}

const TYPES = [
  'ask',
  'states',
  'leave',
  'contest',
  'asking',
  'held',
  'free',
  'exceed',
  'suspect',
  'disconnect',
] as const
/** An id, two clocks, a flag, a time and the length of the state. */
const MIN_ENTRY_BYTES = 6

export function encodeNodeMessage({ node, number, items }: NodeMessage): Uint8Array {
  const writer = new ByteWriter(256)
  writer.varUint(node)
  writer.varUint(number)
  for (const item of items) {
    writer.byte(TYPES.indexOf(item.type))
    if ('node' in item) writer.varUint(item.node)
    if ('document' in item) writer.text(item.document)
    if ('clientId' in item) writer.varUint(item.clientId)
    if (item.type === 'contest') writer.varBytes(item.user)
    if (item.type === 'exceed') writer.varUint(item.clock)
    if (item.type === 'disconnect') writeUser(writer, item.user)
    if (item.type === 'states') writeEntries(writer, item.isWhole, item.entries)
  }
  return writer.finish()
}

/** @throws CoeditError MESSAGE_MALFORMED */
export function decodeNodeMessage(bytes: Uint8Array): NodeMessage {
  const reader = new MessageReader(bytes, 'the message of a server')
  const node = reader.varUint()
  const number = reader.varUint()
  const items: NodeItem[] = []
  while (reader.remaining > 0) items.push(readItem(reader))
  return { node, number, items }
}

function readItem(reader: MessageReader): NodeItem {
  const type = TYPES[reader.byte()]
  switch (type) {
    case 'ask':
      return { type, node: reader.varUint(), document: reader.text() }
    case 'states':
      return { type, document: reader.text(), isWhole: reader.byte() === 1, entries: readEntries(reader) }
    case 'leave':
      return { type, document: reader.text() }
    case 'contest':
      return {
        type,
        node: reader.varUint(),
        document: reader.text(),
        clientId: reader.varUint(),
        user: reader.varBytes(),
      }
    case 'asking':
    case 'held':
      return { type, node: reader.varUint(), document: reader.text(), clientId: reader.varUint() }
    case 'free':
      return { type, document: reader.text(), clientId: reader.varUint() }
    case 'exceed':
      return {
        type,
        node: reader.varUint(),
        document: reader.text(),
        clientId: reader.varUint(),
        clock: reader.varUint(),
      }
    case 'suspect':
      return { type, node: reader.varUint() }
    case 'disconnect':
      return { type, document: reader.text(), user: reader.byte() === 1 ? reader.text() : undefined }
    default:
      return reader.fail('an item is of an unknown type')
  }
}

function writeUser(writer: ByteWriter, user: string | undefined): void {
  writer.byte(user === undefined ? 0 : 1)
  if (user !== undefined) writer.text(user)
}

function writeEntries(writer: ByteWriter, isWhole: boolean, entries: readonly NodeEntry[]): void {
  writer.byte(isWhole ? 1 : 0)
  writer.varUint(entries.length)
  for (const { clientId, clock, ownClock, strong, claimedAt, state } of entries) {
    writer.varUint(clientId)
    writer.varUint(clock)
    writer.varUint(ownClock)
    writer.byte(strong ? 1 : 0)
    writer.varUint(claimedAt)
    writer.varBytes(state)
  }
}

function readEntries(reader: MessageReader): NodeEntry[] {
  return Array.from({ length: reader.count(MIN_ENTRY_BYTES, 'entries') }, () => ({
    clientId: reader.varUint(),
    clock: reader.varUint(),
    ownClock: reader.varUint(),
    strong: reader.byte() === 1,
    claimedAt: reader.varUint(),
    // The message may be much larger than what is kept of it.
    state: new Uint8Array(reader.varBytes()),
  }))
}
