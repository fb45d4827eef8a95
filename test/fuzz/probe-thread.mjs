// JavaScript, for a thread knows nothing of the loaders that its parent reads TypeScript with.
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { WebSocket } from 'ws'

const INTERVAL_MS = 5

/** How long each ping took, in milliseconds. */
const waits = []
const socket = new WebSocket(`${workerData}probed`)
await once(socket, 'open')

parentPort.on('message', () => parentPort.postMessage(summary()))
parentPort.postMessage('ready')

while (socket.readyState === WebSocket.OPEN) {
  const start = performance.now()
  socket.ping()
  await once(socket, 'pong')
  waits.push(performance.now() - start)
  await pause(INTERVAL_MS)
}

/** As `Waits` of probe.ts. */
function summary() {
  const sorted = waits.toSorted((a, b) => a - b)
  const at = (part) => sorted[Math.floor(part * (sorted.length - 1))]
  return { count: sorted.length, median: at(0.5), p99: at(0.99), longest: at(1) }
}
