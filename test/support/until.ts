import type * as Y from 'yjs'

/** Far above what a busy machine takes, below the time limit of a test, so that what is waited for gets named. */
const LIMIT_MS = 30_000

/** Resolves when the condition holds, which is looked at now and after each change of one of the documents. */
export async function untilChanged(docs: readonly Y.Doc[], what: string, condition: () => boolean): Promise<void> {
  if (await changedWithin(LIMIT_MS, docs, condition)) return
  throw new Error(`waited ${LIMIT_MS / 1000} s in vain until ${what}`)
}

/** The same for at most `ms` milliseconds: whether it held by then. */
export function changedWithin(ms: number, docs: readonly Y.Doc[], condition: () => boolean): Promise<boolean> {
  if (condition()) return Promise.resolve(true)
  return new Promise((resolve) => {
    const look = () => {
      if (condition()) leave(true)
    }
    const limit = setTimeout(() => leave(false), ms)
    const leave = (holds: boolean) => {
      clearTimeout(limit)
      for (const doc of docs) doc.off('update', look)
      resolve(holds)
    }
    for (const doc of docs) doc.on('update', look)
  })
}
