import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { EAGER, edited, MINUTE, NAME, past, start } from '../support/history.ts'
import { ManualClock } from '../support/manual-clock.ts'

describe('how long it is kept', () => {
  test('off keeps nothing of what is compacted', async () => {
    const started = await start({ ...EAGER, history: 'off' })
    await edited(started, 3, 25)
    expect(await past(started).update(1)).toMatchObject({ status: 404, code: 'HISTORY_MISSING' })
    expect(await past(started).update(25)).toMatchObject({ status: 200 })
  })

  test('what is too old goes away, also of a document that nobody opens', async () => {
    const clock = new ManualClock()
    const started = await start({ ...EAGER, history: '2d' }, clock)
    const editing = edited(started, 3, 25)
    let isDone = false
    void editing.finally(() => {
      isDone = true
    })
    while (!isDone) {
      clock.advance(1)
      await new Promise(setImmediate)
    }
    expect(await past(started).update(1)).toMatchObject({ status: 200 })
    clock.advance(2 * 24 * 60 * MINUTE)
    let status = 200
    while (status === 200) ({ status } = await past(started).update(1))
    expect(status).toBe(404)
    expect(await past(started).update(25)).toMatchObject({ status: 200 })
  })

  test('a document that is deleted has none', async () => {
    const started = await start(EAGER)
    await edited(started, 3, 25)
    await started.server.delete(NAME)
    expect(await past(started).update(1)).toMatchObject({ status: 410, code: 'GONE' })
    await started.server.create(NAME, (doc) => doc.getText('text').insert(0, 'new'))
    expect(await past(started).update(2)).toMatchObject({ status: 404, code: 'HISTORY_MISSING' })
    expect((await past(started).timeline()).groups).toHaveLength(1)
  })
})

test('keepDeleted keeps deleted content for versions by Y.snapshot, of the documents that it names', async () => {
  const { server, logged } = await start({ ...EAGER, keepDeleted: 'notes, team/*' })
  const names = ['notes', 'team/plan', 'notes 2']
  const versions: Y.Snapshot[] = []
  for (const name of names) {
    await server.edit(name, (doc) => {
      doc.getText('text').insert(0, 'what was written first')
      versions.push(Y.snapshot(doc))
    })
    await server.edit(name, (doc) => doc.getText('text').delete(0, 22))
    for (let round = 0; round < 9; round++) await server.edit(name, (doc) => doc.getText('text').insert(0, 'x'))
  }
  await logged('compacted a document', 3)
  const texts = await Promise.all(
    names.map(async (name, index) => {
      const doc = new Y.Doc({ gc: false })
      Y.applyUpdate(doc, await server.readUpdate(name))
      return Y.createDocFromSnapshot(doc, versions[index]).getText('text').toString()
    }),
  )
  expect(texts).toEqual(['what was written first', 'what was written first', ''])
})
