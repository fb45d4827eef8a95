import { expect, test } from 'vitest'
import { SharedLog } from '../../server/src/document/shared-log.ts'
import type { LogPart } from '../../server/src/storage/document-store.ts'

/** A replica at 1 of a log that ends there, whatever anybody says. */
function replicaOfShortLog() {
  let reads = 0
  let lose: (error: unknown) => void = () => undefined
  const lost = new Promise<unknown>((resolve) => {
    lose = resolve
  })
  const replica = { name: 'doc', head: 1, enter: () => undefined, lose }
  const store = {
    follow: () => () => undefined,
    readAfter: async (): Promise<LogPart> => {
      reads++
      return { incarnation: 1, entries: [] }
    },
  }
  return { log: new SharedLog(replica, store), lost, reads: () => reads }
}

test('a number that the log does not have has the document loaded anew, and is not looked for without end', async () => {
  const { log, lost, reads } = replicaOfShortLog()
  log.want(2)
  expect(await lost).toMatchObject({ code: 'STORAGE_CONFLICT' })
  expect(reads()).toBe(1)
})

test('what is there already is not looked for', () => {
  const { log, reads } = replicaOfShortLog()
  log.want(1)
  expect(reads()).toBe(0)
})
