import { WebSocket as NodeWebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { Editor } from '../support/editing.ts'
import { startInProcess } from '../support/in-process-server.ts'
import type { Random } from '../support/random.ts'
import type { Release } from '../support/temporary.ts'
import { untilChanged } from '../support/until.ts'

const CLIENTS = 3
const ROUNDS = 300

/**
 * Every message that y-websocket clients send, in the order sent, while they join, edit all there is in Yjs, undo, show
 * where they are, break off, edit offline and come back.
 */
export async function recordTraffic(release: Release, random: Random): Promise<readonly Uint8Array[]> {
  const { url } = await startInProcess({ release })
  const messages: Uint8Array[] = []
  const speakers = Array.from({ length: CLIENTS }, () => new Speaker(release, url, random, messages))
  const docs = speakers.map(({ doc }) => doc)
  for (let round = 0; round < ROUNDS; round++) {
    random.pick(speakers).act()
    if (random.chance(0.3)) await untilChanged(docs, 'those who are connected show the same', () => areAlike(speakers))
  }
  for (const { provider } of speakers) provider.connect()
  await untilChanged(docs, 'all show the same', () => areAlike(speakers))
  return messages
}

class Speaker {
  readonly doc = new Y.Doc()
  readonly provider: WebsocketProvider
  readonly #editor: Editor
  readonly #random: Random

  constructor(release: Release, url: string, random: Random, messages: Uint8Array[]) {
    this.#random = random
    this.#editor = new Editor(this.doc, random)
    this.provider = new WebsocketProvider(url, 'recorded', this.doc, {
      WebSocketPolyfill: recordingWebSocket(messages),
      maxBackoffTime: 100,
      // Clients of one process would share edits past the server.
      disableBc: true,
    })
    release(async () => {
      this.provider.destroy()
      this.doc.destroy()
    })
  }

  act(): void {
    const random = this.#random
    const choice = random.below(10)
    if (choice === 0) this.provider.disconnect()
    else if (choice < 3) this.provider.connect()
    else if (choice < 5) this.#show({ name: 'é😀', cursor: { anchor: random.below(100), head: null } })
    else for (let edits = 1 + random.below(4); edits > 0; edits--) this.#editor.edit()
  }

  #show(state: object): void {
    this.provider.awareness.setLocalStateField('user', state)
  }
}

function areAlike(speakers: readonly Speaker[]): boolean {
  const vectors = speakers
    .filter(({ provider }) => provider.shouldConnect)
    .map(({ doc }) => Buffer.from(Y.encodeStateVector(doc)).toString('base64'))
  return new Set(vectors).size <= 1
}

function recordingWebSocket(messages: Uint8Array[]): typeof WebSocket {
  const Recording: unknown = class extends NodeWebSocket {
    override send(message: Parameters<NodeWebSocket['send']>[0]): void {
      super.send(message)
      if (!(message instanceof Uint8Array)) throw new Error('a message that is not binary')
      messages.push(message.slice())
    }
  }
  if (isWebSocketClass(Recording)) return Recording
  throw new Error('the class of the ws package is no WebSocket')
}

/** The types of `ws` and of browsers differ where this client does not tread. */
function isWebSocketClass(candidate: unknown): candidate is typeof WebSocket {
  return typeof candidate === 'function' && candidate.prototype instanceof NodeWebSocket
}
