import type { Release } from './temporary.ts'

/** Resolves with the next uncaught exception. Takes the place of the test runner's own handlers, which would fail the run. */
export function nextUncaughtException(release: Release): Promise<unknown> {
  const handlers = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  release(async () => {
    process.removeAllListeners('uncaughtException')
    for (const handler of handlers) process.on('uncaughtException', handler)
  })
  return new Promise((resolve) => process.once('uncaughtException', resolve))
}
