import { parentPort } from 'node:worker_threads'
import { Mirror } from './mirror.ts'
import { Refused } from './refused.ts'
import type {
  ContentAnswer,
  ContentJob,
  ContentRequest,
  ContentResult,
  ThreadAnswer,
  ThreadMessage,
} from './requests.ts'

// The entry of the thread that holds documents as values.

const mirrors = new Map<string, Mirror>()

parentPort?.on('message', (message: ThreadMessage) => {
  if ('forget' in message) {
    forget(message.forget)
    return
  }
  const answer = answerTo(message.job)
  parentPort?.postMessage({ id: message.id, answer } satisfies ThreadAnswer)
})

function answerTo({ document, isWhole, clientId, updates, requests }: ContentJob): ContentAnswer {
  if (isWhole) forget(document)
  const mirror = mirrors.get(document) ?? new Mirror(clientId)
  mirrors.set(document, mirror)
  try {
    mirror.apply(updates)
  } catch (error) {
    forget(document)
    return { results: requests.map(() => refusal(error)), isLost: true }
  }
  const results: ContentResult[] = []
  for (const request of requests) {
    results.push(resultOf(mirror, request))
    if (!mirror.isSpoilt) continue
    forget(document)
    return { results, isLost: true }
  }
  return { results, isLost: false }
}

function resultOf(mirror: Mirror, request: ContentRequest): ContentResult {
  try {
    if (request.kind === 'edit') return mirror.edit(request)
    return request.kind === 'read' ? mirror.read(request) : mirror.locate(request)
  } catch (error) {
    return refusal(error)
  }
}

function refusal(error: unknown): ContentResult {
  const message = error instanceof Error ? error.message : String(error)
  // Content of hostile clients can be well-formed and still too much for Yjs.
  return { ok: false, code: error instanceof Refused ? error.code : 'DOCUMENT_UNREADABLE', message }
}

function forget(document: string): void {
  mirrors.get(document)?.destroy()
  mirrors.delete(document)
}
