import { afterAll } from 'vitest'
import type { Release } from './temporary.ts'

/**
 * A release for what a `beforeAll` acquires, which undoes it after all tests of the file or `describe` in which this is
 * called. Not `afterAll` itself: vitest takes none while a hook runs.
 */
export function afterTests(): Release {
  const undos: (() => Promise<void>)[] = []
  afterAll(async () => {
    for (const undo of undos.reverse()) await undo()
  })
  return (undo) => undos.push(undo)
}
