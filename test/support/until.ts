import type * as Y from 'yjs'

/** Far above what a busy machine takes, below the time limit of a test, so that what is waited for gets named. */
const LIMIT_MS = 30_000

/** Resolves when the condition holds, which is looked at now and after each change of one of the documents. */
export function untilChanged(docs: readonly Y.Doc[], what: string, condition: () => boolean): Promise<void> {
  if (condition()) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const look = () => {
      if (!condition()) return
      leave()
      resolve()
    }
    const limit = setTimeout(() => {
      leave()
      reject(new Error(`waited ${LIMIT_MS / 1000} s in vain until ${what}`))
    }, LIMIT_MS)
    const leave = () => {
      clearTimeout(limit)
      for (const doc of docs) doc.off('update', look)
    }
    for (const doc of docs) doc.on('update', look)
  })
}
