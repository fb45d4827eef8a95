import type { ClientGroup } from './client-group.ts'

const CONTENT_LIMIT_MS = 120_000

/** Somebody who opened a document and has all of it. */
export interface Joined {
  /** From the start of the connection to the arrival of the last of the content. */
  readonly ms: number
  readonly updates: readonly Uint8Array[]
}

/**
 * Opens a document. It is complete with the Step2, unless that came before the content, as y-websocket has it after a
 * restart: hence the least number of bytes. Whether it is complete indeed is for `verifyJoined` to say.
 */
export async function join(group: ClientGroup, document: string, leastBytes: number): Promise<Joined> {
  const start = performance.now()
  const updates: Uint8Array[] = []
  let bytes = 0
  let synced = false
  let finish: (at: number) => void = () => undefined
  const complete = new Promise<number>((resolve) => {
    finish = resolve
  })
  const look = (at: number): void => {
    if (synced && bytes >= leastBytes) finish(at)
  }
  await group.connect(document, {
    content: (update, at) => {
      updates.push(update)
      bytes += update.length
      look(at)
    },
    synced: (at) => {
      synced = true
      look(at)
    },
  })
  const at = await group.wait(CONTENT_LIMIT_MS, `the content of "${document}"`, complete)
  return { ms: at - start, updates }
}
