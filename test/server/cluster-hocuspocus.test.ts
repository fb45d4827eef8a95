import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { afterTests } from '../support/after-tests.ts'
import { startNodes } from '../support/cluster.ts'
import { HOCUSPOCUS_VERSIONS, hocuspocusClient, hocuspocusLine } from '../support/hocuspocus-clients.ts'
import { Ledger } from '../support/ledger.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { startProxy } from '../support/proxy.ts'
import { allRead, freshCopy, syncedClient, textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'shared 😀/100%'

if (findPostgres() === undefined) test('clients of Hocuspocus on several servers', ({ skip }) => skip(NO_POSTGRES))
else withPostgres(await startPostgres(afterTests()))

function withPostgres(postgres: PostgresServer): void {
  const start = async () => startNodes({ release, flags: ['--database', await postgres.newDatabase()] })

  test('every version on a server of its own, and y-websocket, edit and see each other, and undo their own', async () => {
    const nodes = await start()
    const clients = HOCUSPOCUS_VERSIONS.map((version, index) =>
      hocuspocusClient({ release, url: nodes[index].url, document, version }),
    )
    const stock = await syncedClient({ release, url: nodes[0].url, document })
    const all = [...clients, stock]
    await Promise.all(clients.map((client) => client.synced()))
    const undoManagers = all.map(({ doc }) => new Y.UndoManager(doc.getText('text'), { captureTimeout: 0 }))
    let text = ''
    for (const [index, client] of all.entries()) {
      textOf(client).insert(text.length, `${index} `)
      text += `${index} `
      await allRead(all, text)
    }
    await Promise.all(clients.map((client) => client.saved()))
    const ids = all.map(({ doc }) => doc.clientID)
    await Promise.all(clients.map((client) => client.sees(...ids)))

    undoManagers[1].undo()
    await allRead(all, '0 2 3 ')
    undoManagers[3].undo()
    await allRead(all, '0 2 ')
    undoManagers[1].redo()
    await allRead(all, '0 1 2 ')
    await Promise.all(clients.map((client) => client.saved()))
    for (const { url } of nodes) {
      expect(textOf({ doc: await freshCopy({ release, url, document }) }).toString()).toBe('0 1 2 ')
    }
  })

  test('two sessions on a socket share a document with another server, and one leaves alone', async () => {
    const [here, there] = await start()
    const line = hocuspocusLine({ release, url: here.url })
    const [first, second] = [1, 2].map(() => line.attach({ document, sessionAwareness: true }))
    const other = hocuspocusClient({ release, url: there.url, document })
    await Promise.all([first, second, other].map((client) => client.synced()))
    textOf(first).insert(0, 'by the first')
    await allRead([second, other], 'by the first')
    await other.sees(first.doc.clientID, second.doc.clientID)
    first.provider.destroy()
    await other.sees(second.doc.clientID)
    textOf(second).insert(0, 'and ')
    await allRead([other], 'and by the first')
    await second.saved()
  })

  test.each(HOCUSPOCUS_VERSIONS)(
    '%s, its server killed, goes on at another one with all that it counted as saved',
    async (version) => {
      const [first, second] = await start()
      const proxy = await startProxy({ release, target: first.url })
      const client = hocuspocusClient({ release, url: proxy.url, document, version })
      const other = hocuspocusClient({ release, url: second.url, document })
      await Promise.all([client.saved(), other.synced()])
      const marks = client.doc.getArray('marks')
      const ledger = new Ledger()
      let made: Uint8Array[] = []
      client.doc.on('update', (update: Uint8Array, origin: unknown) => {
        if (origin === null) made.push(update)
      })
      let next = 0
      let isTyping = true
      const type = () => {
        for (let n = 0; n < 3 && isTyping; n++) marks.push([`${next++}`])
      }
      client.provider.on('unsyncedChanges', () => {
        if (client.provider.unsyncedChanges !== 0) return
        ledger.promiseAll(made)
        made = []
        setImmediate(type)
      })
      const promised = ledger.grows(20)
      type()
      await promised
      await first.kill()
      isTyping = false
      const { doc } = await syncedClient({ release, url: second.url, document })
      expect(ledger.brokenIn(doc, doc.getArray('marks'))).toEqual([])

      proxy.leadTo(second.url)
      marks.push([`${next++}`])
      await client.happens('synced', 2)
      await client.saved()
      const copy = await freshCopy({ release, url: second.url, document })
      expect(copy.getArray('marks').toArray()).toEqual(marks.toArray())
      expect(client.provider.unsyncedChanges).toBe(0)
      await other.sees(client.doc.clientID, doc.clientID)
      await client.sees(other.doc.clientID, doc.clientID)
    },
  )
}
