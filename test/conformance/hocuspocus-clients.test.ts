import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { HOCUSPOCUS_VERSIONS, hocuspocusClient, hocuspocusLine } from '../support/hocuspocus-clients.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { Ledger } from '../support/ledger.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { startMortalServer } from '../support/mortal-server.ts'
import { startProxy } from '../support/proxy.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { allRead, freshCopy, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const document = 'notes'

async function start() {
  const { url } = await startInProcess({ release })
  return { release, url, document }
}

describe.each(HOCUSPOCUS_VERSIONS)('R101 an unchanged @hocuspocus/provider %s', (version) => {
  test('edits a document together with y-websocket', async () => {
    const there = await start()
    const hocuspocus = hocuspocusClient({ ...there, version })
    const stock = await syncedClient(there)
    await hocuspocus.synced()
    textOf(hocuspocus).insert(0, 'hello')
    await allRead([stock], 'hello')
    textOf(stock).insert(5, ' world')
    await allRead([stock, hocuspocus], 'hello world')
    await hocuspocus.saved()
    expect(textOf({ doc: await freshCopy(there) }).toString()).toBe('hello world')
  })

  test('R104 counts exactly what is not stored, edits made offline too', async () => {
    const there = await start()
    const client = hocuspocusClient({ ...there, version })
    await client.synced()
    textOf(client).insert(0, 'a')
    textOf(client).insert(1, 'b')
    await client.saved()
    client.socket.disconnect()
    await client.happens('close')
    textOf(client).insert(2, 'c')
    textOf(client).delete(0, 1)
    textOf(client).insert(2, 'd')
    const doc = new Y.Doc()
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(client.doc))
    void client.socket.connect()
    await client.happens('synced', 2)
    await client.saved()
    const copy = await freshCopy(there)
    expect(textOf({ doc: copy }).toString()).toBe('bcd')
    textOf(client).insert(0, 'e')
    expect(client.provider.unsyncedChanges).toBe(1)
    await client.saved()
  })

  test('has many documents over one socket', async () => {
    const there = await start()
    const line = hocuspocusLine({ ...there, version })
    const [a, b] = [line.attach({ document: 'a' }), line.attach({ document: 'b' })]
    await Promise.all([a.synced(), b.synced()])
    textOf(a).insert(0, 'in a')
    textOf(b).insert(0, 'in b')
    await Promise.all([a.saved(), b.saved()])
    expect(textOf({ doc: await freshCopy({ ...there, document: 'a' }) }).toString()).toBe('in a')
    expect(textOf({ doc: await freshCopy({ ...there, document: 'b' }) }).toString()).toBe('in b')
  })

  test('R104 R108 is denied one document of a socket, and may only read another', async () => {
    const { url } = await startInProcess({ release, options: { authSecret: SECRET } })
    const valid = await token()
    const line = hocuspocusLine({ release, url, version })
    const denied = line.attach({ document: 'other', token: valid })
    const reader = line.attach({ document: 'public/1', token: valid })
    const writer = line.attach({ document, token: () => Promise.resolve(valid) })
    await Promise.all([denied.happens('authenticationFailed'), reader.saved(), writer.saved()])
    expect(denied.events).toEqual(['authenticationFailed', 'this document is not allowed'])
    expect([reader, writer].map(({ provider }) => provider.authorizedScope)).toEqual(['readonly', 'read-write'])
    textOf(denied).insert(0, 'not allowed')
    textOf(reader).insert(0, 'not allowed')
    textOf(writer).insert(0, 'allowed')
    await writer.saved()
    expect(reader.provider.unsyncedChanges).toBe(1)
    const all = await token({ coedit: { read: ['*'] } })
    const copies = ['other', 'public/1', document].map((name) =>
      freshCopy({ release, url, document: name, params: { token: all } }),
    )
    expect((await Promise.all(copies)).map((doc) => textOf({ doc }).toString())).toEqual(['', '', 'allowed'])
  })

  test('R23 is seen by y-websocket, and sees it, also when it comes back', async () => {
    const there = await start()
    const stock = await syncedClient(there)
    const client = hocuspocusClient({ ...there, version })
    await Promise.all([stock.sees(client.doc.clientID), client.sees(stock.doc.clientID)])
    client.socket.disconnect()
    await stock.sees()
    const returned = performance.now()
    void client.socket.connect()
    await Promise.all([stock.sees(client.doc.clientID), client.sees(stock.doc.clientID)])
    // R111: clients renew themselves every 15 s, whatever was wrong.
    expect(performance.now() - returned).toBeLessThan(5_000)
    client.provider.destroy()
    await stock.sees()
  })

  test('R106 kill -9: what it counted as saved is there afterwards', async () => {
    const server = await startMortalServer(release)
    const there = { release, url: server.url, document, version }
    const ledger = new Ledger()
    const client = hocuspocusClient(there)
    await client.synced()
    const marks = client.doc.getArray('marks')
    let made: Uint8Array[] = []
    client.doc.on('update', (update: Uint8Array) => made.push(update))
    client.provider.on('unsyncedChanges', () => {
      if (client.provider.unsyncedChanges !== 0) return
      ledger.promiseAll(made)
      made = []
      // However slow the machine is, all is saved in between, and a kill finds some that is not.
      if (isTyping) setImmediate(type)
    })
    let next = 0
    let isTyping = false
    const type = (): void => {
      for (let mark = 0; mark < 5; mark++) marks.push([`${next++}`])
      marks.delete(0, 2)
    }
    for (let round = 0; round < runs(1); round++) {
      const promised = ledger.grows(20)
      isTyping = true
      type()
      await promised
      await server.kill()
      isTyping = false
      await server.restart()
      const { doc } = await syncedClient({ release, url: server.process.url, document })
      expect(ledger.brokenIn(doc, doc.getArray('marks')).filter((line) => !isDeletedMark(line, marks))).toEqual([])
      marks.push([`${next++}`])
      await client.saved()
    }
    const copy = await freshCopy({ release, url: server.process.url, document })
    expect(copy.getArray('marks').toArray()).toEqual(marks.toArray())
    expect(client.provider.unsyncedChanges).toBe(0)
  })
})

/** An element that the client has deleted since it was promised is not lost. */
function isDeletedMark(line: string, marks: Y.Array<unknown>): boolean {
  const [, mark] = /^lost: (.*)$/.exec(line) ?? []
  return mark !== undefined && !marks.toArray().includes(mark)
}

test.each(['3.4.4', '4.8.0'] as const)('R109 %s renews its token by itself before that expires', async (version) => {
  const clock = new ManualClock()
  const START = clock.now() / 1000
  const options = { authSecret: SECRET, authLeewayMs: 0, pingIntervalMs: 3_600_000 }
  const { url } = await startInProcess({ release, clock, options })
  let issued = 0
  const issue = () => token({ iat: START, exp: START + 60 * ++issued })
  const client = hocuspocusClient({ release, url, document, version, token: issue })
  await client.synced()
  for (let second = 0; second < 35; second++) clock.advance(1000)
  await clock.hasTimerOf(120_000 - 35_000)
  for (let second = 0; second < 40; second++) clock.advance(1000)
  textOf(client).insert(0, 'x')
  clock.advance(100)
  await client.saved()
  expect(client.events.filter((event) => event.startsWith('authenti'))).toEqual(['authenticated'])
  expect(issued).toBe(2)
})

test('a document twice on a socket, by sessions of 4.x', async () => {
  const there = await start()
  const line = hocuspocusLine(there)
  const both = [1, 2].map(() => line.attach({ document, sessionAwareness: true }))
  const stock = stockClient(there)
  await Promise.all(both.map((client) => client.synced()))
  const [first, second] = both
  if (!first || !second) throw new Error('there are two')
  textOf(first).insert(0, 'x'.repeat(10_000))
  await allRead([second, stock], 'x'.repeat(10_000))
  textOf(second).insert(0, 'y')
  await allRead([first, stock], `y${'x'.repeat(10_000)}`)
  await Promise.all(both.map((client) => client.saved()))
  await first.sees(second.doc.clientID, stock.doc.clientID)
})

test('R103 what is edited while the token is fetched is saved, and counted', async () => {
  const { url } = await startInProcess({ release, options: { authSecret: SECRET } })
  let give: (valid: string) => void = () => undefined
  const fetched = new Promise<string>((resolve) => {
    give = resolve
  })
  const line = hocuspocusLine({ release, url })
  const other = line.attach({ document: 'drafts/1', token: await token() })
  const client = line.attach({ document, token: () => fetched })
  await other.saved()
  textOf(client).insert(0, 'early')
  give(await token())
  await client.synced()
  await client.saved()
  const doc = await freshCopy({ release, url, document, params: { token: await token() } })
  expect(textOf({ doc }).toString()).toBe('early')
})

test('R104 a client that was denied is let in by another token', async () => {
  const { url } = await startInProcess({ release, options: { authSecret: SECRET } })
  const tokens = ['letmein', await token()]
  const client = hocuspocusClient({ release, url, document, token: () => tokens.shift() ?? 'none is left' })
  await client.happens('authenticationFailed')
  void client.provider.sendToken?.()
  client.provider.startSync()
  await client.saved()
  expect(client.provider.isAuthenticated).toBe(true)
})

test.each(HOCUSPOCUS_VERSIONS)(
  'R107 %s never counts wrongly, whatever it edits while it comes back',
  async (version) => {
    const { url } = await startInProcess({ release })
    const proxy = await startProxy({ release, target: url, delayMs: () => 5 })
    const client = hocuspocusClient({ release, url: proxy.url, document, version })
    const random = new Random(1)
    const text = textOf(client)
    const edit = () => {
      if (text.length > 3 && random.below(2) === 0) text.delete(random.below(text.length - 1), 1)
      else text.insert(random.below(text.length + 1), 'x')
    }
    let lowest = 0
    client.provider.on('unsyncedChanges', () => {
      lowest = Math.min(lowest, client.provider.unsyncedChanges)
    })
    await client.saved()
    for (let round = 1; round <= runs(20); round++) {
      proxy.cut()
      await client.happens('close', round)
      for (let edits = random.below(4); edits > 0; edits--) edit()
      await client.happens('authenticated', round + 1)
      // Deletions of this very moment cannot be told from those of before.
      text.insert(0, 'y')
      await client.synced()
      edit()
      await client.saved()
      edit()
      expect(client.provider.unsyncedChanges).toBe(1)
      await client.saved()
    }
    expect(lowest).toBe(0)
    const doc = await freshCopy({ release, url, document })
    expect(textOf({ doc }).toString()).toBe(text.toString())
  },
)
