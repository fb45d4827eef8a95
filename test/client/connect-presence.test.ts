import { describe, expect, onTestFinished, test } from 'vitest'
import type { Connection } from '../../client/src/connection/connection.ts'
import { contains, open, reached, recordErrors, startRestartable } from '../support/connections.ts'
import { startStockServer } from '../support/stock-server.ts'
import { nextUncaughtException } from '../support/uncaught.ts'

/** Resolves when one sees the other show exactly this state, or show nothing at all. */
function sees(one: Connection, other: Connection, state: object | undefined): Promise<void> {
  const expected = JSON.stringify(state)
  return new Promise((resolve) => {
    const check = () => {
      if (JSON.stringify(one.awareness.getStates().get(other.doc.clientID)) !== expected) return
      one.awareness.off('change', check)
      resolve()
    }
    one.awareness.on('change', check)
    check()
  })
}

/** Everybody announces themselves again every 15 s, whatever was wrong; this is about what comes before that. */
async function atOnce(...events: readonly Promise<void>[]): Promise<void> {
  const before = performance.now()
  await Promise.all(events)
  expect(performance.now() - before).toBeLessThan(10_000)
}

describe('presence', () => {
  test('shows those who have announced nothing but that they are there', async () => {
    const { url } = await startRestartable()
    const [ann, ben] = [open({ url }), open({ url })]
    await atOnce(sees(ann, ben, {}), sees(ben, ann, {}))
  })

  test('follows setUser', async () => {
    const { url } = await startRestartable()
    const ann = open({ url, user: { name: 'Ann' } })
    const ben = open({ url })
    await sees(ben, ann, { user: { name: 'Ann' } })
    ann.setUser({ name: 'Anna', color: '#112233' })
    await sees(ben, ann, { user: { name: 'Anna', color: '#112233' } })
  })

  test('is there again at once after the server was gone', async () => {
    const server = await startRestartable()
    const ann = open({ url: server.url, user: { name: 'Ann' } })
    const ben = open({ url: server.url, user: { name: 'Ben' } })
    await Promise.all([sees(ann, ben, { user: { name: 'Ben' } }), sees(ben, ann, { user: { name: 'Ann' } })])
    await server.close()
    await Promise.all([sees(ann, ben, undefined), sees(ben, ann, undefined)])
    await server.restart()
    await atOnce(sees(ann, ben, { user: { name: 'Ben' } }), sees(ben, ann, { user: { name: 'Ann' } }))
  })

  test('of one who was away is there again at once, for them and for those who stayed', async () => {
    const server = await startRestartable()
    const ann = open({ url: server.url, user: { name: 'Ann' } })
    const ben = open({ url: server.url, user: { name: 'Ben' } })
    await sees(ann, ben, { user: { name: 'Ben' } })
    ben.pause()
    await Promise.all([sees(ann, ben, undefined), sees(ben, ann, undefined)])
    ben.resume()
    await atOnce(sees(ann, ben, { user: { name: 'Ben' } }), sees(ben, ann, { user: { name: 'Ann' } }))
  })

  test('on a server of y-websocket too', async () => {
    const url = await startStockServer(onTestFinished)
    const ann = open({ url, user: { name: 'Ann' } })
    const ben = open({ url })
    await atOnce(sees(ben, ann, { user: { name: 'Ann' } }))
    ann.pause()
    await sees(ben, ann, undefined)
    ann.resume()
    await atOnce(sees(ben, ann, { user: { name: 'Ann' } }), sees(ann, ben, {}))
  })

  test('that the server refuses is reported, and others see what was there before', async () => {
    const { url } = await startRestartable({ maxPresenceBytes: 1024 })
    const ann = open({ url, user: { name: 'Ann' } })
    const codes = recordErrors(ann)
    const ben = open({ url })
    await sees(ben, ann, { user: { name: 'Ann' } })
    const reported = new Promise<void>((resolve) => ann.onError(() => resolve()))
    ann.awareness.setLocalStateField('selected', 'x'.repeat(2000))
    await reported
    ben.setUser({ name: 'Ben' })
    await sees(ann, ben, { user: { name: 'Ben' } })
    expect(ben.awareness.getStates().get(ann.doc.clientID)).toEqual({ user: { name: 'Ann' } })
    expect({ codes, state: ann.state }).toMatchObject({ codes: ['PRESENCE_REFUSED'], state: { error: null } })
  })

  test('of one who has ended is gone for others', async () => {
    const { url } = await startRestartable()
    const [ann, ben] = [open({ url }), open({ url })]
    await sees(ann, ben, {})
    ben.destroy()
    await sees(ann, ben, undefined)
  })
})

test('an observer of the application that throws ends nothing: the text comes, and the connection is synced', async () => {
  const { url } = await startRestartable()
  const ann = open({ url })
  ann.text.insert(0, 'hello')
  await ann.flush()
  const ben = open({ url })
  const uncaught = nextUncaughtException()
  ben.text.observe(() => {
    throw new Error('of the observer')
  })
  await Promise.all([contains(ben, 'hello'), reached(ben, ({ synced }) => synced)])
  expect(await uncaught).toMatchObject({ message: 'of the observer' })
})
