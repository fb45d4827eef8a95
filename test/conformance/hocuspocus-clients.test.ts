import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { HOCUSPOCUS_VERSIONS, hocuspocusClient, hocuspocusLine } from '../support/hocuspocus-clients.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { allRead, freshCopy, syncedClient, textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'

async function start() {
  const { url } = await startInProcess({ release })
  return { release, url, document }
}

describe.each(HOCUSPOCUS_VERSIONS)('R47 an unchanged @hocuspocus/provider %s', (version) => {
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

  test('R50 counts exactly what is not stored, edits made offline too', async () => {
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
})
