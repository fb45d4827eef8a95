import { parentPort } from 'node:worker_threads'
import { Mirror } from './mirror.ts'
import { Refused } from './refused.ts'
import {
  type ContentAnswer,
  type ContentJob,
  type ContentRequest,
  type ContentResult,
  READY,
  type ThreadAnswer,
  type ThreadMessages,
  type WatchNews,
} from './requests.ts'
import { revert } from './revert.ts'

// The entry of the thread that holds documents as values.

const mirrors = new Map<string, Mirror>()

parentPort?.on('message', (messages: ThreadMessages) => {
  for (const message of messages) {
    if ('forget' in message) forget(message.forget)
    // Each is answered by itself: whichever ends the thread is the first that was not.
    else parentPort?.postMessage({ id: message.id, answer: answerTo(message.job) } satisfies ThreadAnswer)
  }
})
parentPort?.postMessage(READY)

function answerTo({ document, isWhole, clientId, updates, watches, requests }: ContentJob): ContentAnswer {
  if (isWhole) forget(document)
  else if (!mirrors.has(document)) return { results: [], news: [], isLost: true }
  const mirror = mirrors.get(document) ?? new Mirror(clientId)
  mirrors.set(document, mirror)
  let news: readonly WatchNews[] = []
  try {
    mirror.watches.keep(watches)
    const remembers = requests.some((request) => request.kind === 'edit' && request.seen !== undefined)
    news = mirror.apply(updates, isWhole, remembers)
  } catch (error) {
    forget(document)
    return { results: requests.map(() => refusal(error)), news: [], unreadable: messageOf(error), isLost: true }
  }
  const results: ContentResult[] = []
  for (const request of requests) {
    if (!mirror.knows(request)) {
      forget(document)
      return { results, news, isLost: true }
    }
    results.push(resultOf(mirror, request))
    if (!mirror.isSpoilt) continue
    forget(document)
    return { results, news, isLost: true }
  }
  return { results, news, isLost: false }
}

function resultOf(mirror: Mirror, request: ContentRequest): ContentResult {
  try {
    switch (request.kind) {
      case 'read':
        return mirror.read(request)
      case 'locate':
        return mirror.locate(request)
      case 'edit':
        return mirror.edit(request)
      case 'revert':
        return { ok: true, kind: 'edit', update: revert(request) }
    }
  } catch (error) {
    return refusal(error)
  }
}

function refusal(error: unknown): ContentResult {
  // Content of hostile clients can be well-formed and still too much for Yjs.
  return { ok: false, code: error instanceof Refused ? error.code : 'DOCUMENT_UNREADABLE', message: messageOf(error) }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function forget(document: string): void {
  mirrors.get(document)?.destroy()
  mirrors.delete(document)
}
