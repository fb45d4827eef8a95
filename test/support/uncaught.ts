import { onTestFinished } from 'vitest'

/**
 * Resolves with the next error that nobody catches. Until the end of the test this takes the place of the test runner's
 * own handlers, which would fail the run.
 */
export function nextUncaughtException(): Promise<unknown> {
  const handlers = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException')
    for (const handler of handlers) process.on('uncaughtException', handler)
  })
  return new Promise((resolve) => process.once('uncaughtException', resolve))
}
