import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** W3C Trace Context, version 00; the id of zeros is none. */
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/

const ids = new WeakMap<IncomingMessage, string>()

/** By which a request is found in the logs of all that it came through: the trace id of its `traceparent`, or a random one. */
export function requestId(request: IncomingMessage): string {
  const known = ids.get(request)
  if (known !== undefined) return known
  const id = TRACEPARENT.exec(request.headers.traceparent?.toString() ?? '')?.[1] ?? randomUUID().replaceAll('-', '')
  ids.set(request, id)
  return id
}
