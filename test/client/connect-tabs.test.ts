import { describe, expect, onTestFinished, test } from 'vitest'
import WebSocket from 'ws'
import { storageName } from '../../client/src/connection/browser-storage.ts'
import type { Connection, ConnectOptions, WebSocketClass } from '../../client/src/connection/connection.ts'
import { contains, open, reached, startRestartable } from '../support/connections.ts'
import { startGuarded } from '../support/guarded-server.ts'
import { untilChanged } from '../support/until.ts'

// Node's BroadcastChannel stands for the browser's: connections of this process are each other's tabs.

function openAs(id: string, url: string, options: Partial<ConnectOptions> = {}): Connection {
  return open({ url, user: { id, name: id }, ...options })
}

async function goOffline(...connections: readonly Connection[]): Promise<void> {
  await Promise.all(connections.map((one) => reached(one, ({ connection }) => connection === 'offline')))
}

/** A channel of the test's own with the name of Ann's tabs, and what is said there. */
function listenIn(url: string) {
  const channel = new BroadcastChannel(storageName('ann', url.replace('http:', 'ws:').replace(/\/$/, ''), 'notes'))
  onTestFinished(() => channel.close())
  const said: unknown[] = []
  channel.onmessage = ({ data }) => said.push(data)
  return { channel, said }
}

describe('tabs of one user', () => {
  test('converge without a server, and one of them saves the edits of both when it is back', async () => {
    const server = await startRestartable()
    const [one, two] = [openAs('ann', server.url), openAs('ann', server.url)]
    one.text.insert(0, 'start')
    await one.flush()
    await contains(two, 'start')
    await server.close()
    await goOffline(one, two)
    one.text.insert(5, ' one')
    await contains(two, 'start one')
    two.text.insert(9, ' two')
    await contains(one, 'start one two')
    two.text.delete(0, 6)
    await contains(one, 'one two')
    for (const { state } of [one, two]) expect(state).toMatchObject({ connection: 'offline', saved: false })
    expect([one.state.unsaved, two.state.unsaved]).toEqual([3, 3])

    two.destroy()
    await server.restart()
    await one.flush()
    const reader = open({ url: server.url })
    await contains(reader, 'one two')
  })

  test('learn what the others did before they went offline, deletions too, whoever goes first', async () => {
    const server = await startRestartable()
    const [one, two] = [openAs('ann', server.url), openAs('ann', server.url)]
    one.text.insert(0, 'shared')
    await one.flush()
    await contains(two, 'shared')
    one.pause()
    two.pause()
    one.text.delete(0, 1)
    two.text.delete(5, 1)
    two.text.insert(0, '!')
    await server.close()
    one.resume()
    two.resume()
    await Promise.all([contains(one, '!hare'), contains(two, '!hare')])
  })

  test('a tab that is online saves the edits of one that is not, and vouches for them itself', async () => {
    const server = await startRestartable()
    const online = openAs('ann', server.url)
    await online.flush()
    const stranded = openAs('ann', server.url, { WebSocket: leadingTo('ws://127.0.0.1:1') })
    await goOffline(stranded)
    stranded.text.insert(0, 'from afar')
    await contains(online, 'from afar')
    expect(online.state.saved).toBe(false)
    await online.flush()
    expect(stranded.state).toMatchObject({ connection: 'offline', saved: false, unsaved: 1 })
    await contains(open({ url: server.url }), 'from afar')
  })

  test('say nothing to each other while both are online', async () => {
    const server = await startRestartable()
    const [one, two] = [openAs('ann', server.url), openAs('ann', server.url)]
    await Promise.all([one.flush(), two.flush()])
    const { said } = listenIn(server.url)
    one.text.insert(0, 'by the server')
    await contains(two, 'by the server')
    await passed()
    expect(said).toEqual([])
    await server.close()
    await goOffline(one, two)
    await passed()
    expect(said).not.toEqual([])
  })
})

/** Resolves when what was sent before over any channel has arrived. */
async function passed(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    const [from, to] = [new BroadcastChannel('passed'), new BroadcastChannel('passed')]
    await new Promise((resolve) => {
      to.onmessage = resolve
      from.postMessage(round)
    })
    from.close()
    to.close()
  }
}

/** Sockets that lead to this address, whatever they are told. */
function leadingTo(url: string): WebSocketClass {
  return class extends WebSocket {
    constructor(_url: string | URL, protocols?: string | string[]) {
      super(url, protocols)
    }
  }
}

describe('nothing passes', () => {
  /** Two connections whose server is gone, and then an edit in the first. Resolves when it could have arrived. */
  async function editApart(first: Partial<ConnectOptions>, second: Partial<ConnectOptions>) {
    const server = await startRestartable()
    const [one, two] = [openAs('ann', server.url, first), openAs('ann', server.url, second)]
    await Promise.all([one.whenSynced, two.whenSynced])
    await server.close()
    await goOffline(one, two)
    one.text.insert(0, 'private')
    await passed()
    return { one, two }
  }

  test.each<[string, Partial<ConnectOptions>, Partial<ConnectOptions>]>([
    ['between two users', {}, { user: { id: 'ben', name: 'Ben' } }],
    ['between users whose ids try to look alike', { user: { id: 'a","b', name: '' } }, { user: { id: 'a', name: '' } }],
    ['between people without an id', { user: { name: 'Ann' } }, { user: { name: 'Ann' } }],
    ['between documents', {}, { document: 'other' }],
    ['where tabs is off', {}, { tabs: false }],
    ['to somebody who only reads', {}, { access: 'read' }],
    ['from somebody who only reads', { access: 'read' }, {}],
  ])('%s', async (_, first, second) => {
    const { two } = await editApart(first, second)
    expect(two.text.toString()).toBe('')
  })

  test('but between tabs of one user it does, by the same means', async () => {
    const { two } = await editApart({}, {})
    expect(two.text.toString()).toBe('private')
  })

  test('to or from a tab that is paused', async () => {
    const { one, two } = await editApart({}, {})
    two.pause()
    one.text.insert(0, 'very ')
    two.text.insert(0, 'not ')
    await passed()
    expect([one.text.toString(), two.text.toString()]).toEqual(['very private', 'not private'])
    two.resume()
    const isMerged = ({ text }: Connection) => text.toString().includes('very ') && text.toString().includes('not ')
    await untilChanged([one.doc, two.doc], 'both have both edits', () => isMerged(one) && isMerged(two))
    expect(one.text.toString()).toBe(two.text.toString())
  })

  test('to or from a tab whose access is denied', async () => {
    const server = await startRestartable()
    const guarded = await startGuarded({ release: onTestFinished, code: 4403 })
    const [one, two] = [openAs('ann', server.url), openAs('ann', server.url, { WebSocket: leadingTo(guarded.url) })]
    await Promise.all([one.whenSynced, reached(two, ({ access }) => access === 'denied')])
    await server.close()
    await goOffline(one)
    one.text.insert(0, 'one')
    two.text.insert(0, 'two')
    await passed()
    expect([one.text.toString(), two.text.toString()]).toEqual(['one', 'two'])
  })
})

test('what is no message of a tab is ignored', async () => {
  const server = await startRestartable()
  const connection = openAs('ann', server.url)
  await connection.flush()
  const { channel } = listenIn(server.url)
  const update = Uint8Array.of(0, 0)
  const junk = [null, 'ask', {}, { type: 'ask' }, { type: 'ask', from: 'me', vector: update }, { type: 'update' }]
  const more = [
    { type: 'update', update: [0, 0] },
    { type: 'answer', update, vector: update },
    { type: 'other', update },
  ]
  for (const message of [...junk, ...more]) channel.postMessage(message)
  channel.postMessage({ type: 'ask', from: 1, vector: Uint8Array.of(0) })
  await new Promise((resolve) => {
    channel.onmessage = resolve
  })
  expect(connection.state).toMatchObject({ connection: 'online', saved: true, unsaved: 0 })
})
