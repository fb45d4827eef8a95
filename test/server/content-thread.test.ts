import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { ContentThread } from '../../server/src/content/content-thread.ts'
import type { ContentJob } from '../../server/src/content/requests.ts'
import { recordingLog } from '../support/log.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { deeplyNested } from '../support/nested.ts'

const QUICK_MS = 1_000
const LONG_MS = 10_000

test('a document that takes long holds up the others once, and from then on only its own kind', async () => {
  const clock = new ManualClock()
  const { log, lines } = recordingLog()
  const thread = new ContentThread(clock, log, new ContentThread(clock, log))
  onTestFinished(() => thread.close())
  const isWatched = async (ms: number) => {
    while (!clock.pending.includes(ms)) await nextTurn()
  }
  const [deep, notes] = [jobOf('deep', deeplyNested(200_000)), jobOf('notes', textUpdate('hello'))]

  const first = [thread.run(deep), thread.run(notes)]
  await isWatched(QUICK_MS)
  clock.advance(QUICK_MS)
  expect(await Promise.all(first)).toEqual([LOST, LOST])
  expect(lines).toMatchObject([{ level: 'warn', facts: { document: 'deep' } }])

  const again = thread.run(deep)
  let isOver = false
  const over = again.catch(() => {
    isOver = true
  })
  expect(await thread.run(notes)).toMatchObject({ results: [{ ok: true, body: 'hello' }], isLost: false })
  expect(isOver).toBe(false)
  await isWatched(LONG_MS)
  clock.advance(LONG_MS)
  await expect(again).rejects.toMatchObject({ code: 'DOCUMENT_UNREADABLE' })
  await over
  expect(await thread.run(notes)).toMatchObject({ results: [{ ok: true, body: 'hello' }] })
})

test('a thread that has nothing of a document asks for all of it', async () => {
  const thread = new ContentThread(new ManualClock(), recordingLog().log)
  onTestFinished(() => thread.close())
  expect(await thread.run({ ...jobOf('notes', textUpdate('hello')), isWhole: false })).toEqual(LOST)
})

const LOST = { results: [], news: [], isLost: true }

function jobOf(document: string, update: Uint8Array): ContentJob {
  const read = { kind: 'read', root: 'content', as: 'text' } as const
  return { document, isWhole: true, clientId: 1, updates: [{ update, position: 1 }], watches: [], requests: [read] }
}

function textUpdate(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('content').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}
