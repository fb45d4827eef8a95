import type { Release } from './temporary.ts'

/** Runs a part of a test that acquires things of its own, and undoes all of it at the end, the last one first. */
export async function inScope<T>(body: (release: Release) => Promise<T>): Promise<T> {
  const undos: (() => Promise<void>)[] = []
  try {
    return await body((undo) => undos.push(undo))
  } finally {
    for (const undo of undos.reverse()) await undo()
  }
}
