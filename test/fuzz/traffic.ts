import { readFile, writeFile } from 'node:fs/promises'
import * as Y from 'yjs'
import { decodeMessage } from '../../server/src/protocol/wire/messages.ts'

/** One message a line, in base64. It is kept, and not recorded anew for each run, so that a seed means the same inputs. */
const FILE = new URL('./traffic.txt', import.meta.url)

/** What honest clients sent. */
export interface Traffic {
  readonly messages: readonly Uint8Array[]
  /** The updates in them. */
  readonly updates: readonly Uint8Array[]
  /** The document that the first half of them makes: what is attacked, so that much of what is sent builds on it. */
  readonly base: Uint8Array
  /** Its clients, and how many ids each has. */
  readonly clocks: ReadonlyMap<number, number>
}

export async function readTraffic(): Promise<Traffic> {
  const lines = (await readFile(FILE, 'utf8')).trim().split('\n')
  const messages = lines.map((line) => new Uint8Array(Buffer.from(line, 'base64')))
  const base = new Y.Doc({ gc: false })
  for (const update of updatesIn(messages.slice(0, messages.length / 2))) Y.applyUpdate(base, update)
  return {
    messages,
    updates: updatesIn(messages),
    base: Y.encodeStateAsUpdate(base),
    clocks: Y.decodeStateVector(Y.encodeStateVector(base)),
  }
}

export async function writeTraffic(messages: readonly Uint8Array[]): Promise<void> {
  await writeFile(FILE, messages.map((message) => `${Buffer.from(message).toString('base64')}\n`).join(''))
}

function updatesIn(messages: readonly Uint8Array[]): Uint8Array[] {
  return messages
    .map((message) => decodeMessage(message, true))
    .flatMap((message) => ('update' in message ? [message.update] : []))
}
