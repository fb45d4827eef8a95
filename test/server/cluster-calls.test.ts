import { expect, onTestFinished, test } from 'vitest'
import { afterTests } from '../support/after-tests.ts'
import { contains, open } from '../support/connections.ts'
import { startHttpProxy } from '../support/http-proxy.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { startServer } from '../support/process.ts'
import { syncedClient } from '../support/stock-clients.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished

if (findPostgres() === undefined) test('calls at servers that share a database', ({ skip }) => skip(NO_POSTGRES))
else withPostgres(await startPostgres(afterTests()))

function withPostgres(postgres: PostgresServer): void {
  test('R57 R61 each request of a client comes to another server: it is one client, and what it writes is there once', async () => {
    const flags = ['--database', await postgres.newDatabase()]
    const servers = await Promise.all([0, 1].map(() => startServer({ release, flags })))
    const proxy = await startHttpProxy(
      release,
      servers.map(({ url }) => url),
    )
    const clients = await Promise.all(servers.map(({ url }) => syncedClient({ release, url, document: 'notes' })))
    const ann = open({ url: proxy.url, user: { name: 'Ann' } })
    await ann.whenSynced
    let text = ''
    for (let edit = 0; edit < 20; edit++) {
      ann.text.insert(0, `${edit} `)
      ann.awareness.setLocalStateField('cursor', edit)
      text = `${edit} ${text}`
      await ann.flush()
    }
    expect(ann.state.transport).toBe('http')
    const reader = open({ url: servers[0].url })
    await contains(reader, text)
    await clients[0].sees(ann.doc.clientID, clients[1].doc.clientID, reader.doc.clientID)
    await clients[1].sees(ann.doc.clientID, clients[0].doc.clientID, reader.doc.clientID)

    // One of them is killed while she types: the next requests come to the other.
    let isTyping = true
    const typing = (async () => {
      while (isTyping) {
        text = `x${text}`
        ann.text.insert(0, 'x')
        await ann.flush()
      }
    })()
    await untilChanged([reader.doc], 'others see her type', () => reader.text.toString().startsWith('xxx'))
    await servers[1].kill()
    proxy.leadTo(servers[0].url)
    isTyping = false
    await typing
    expect(ann.state.transport).toBe('http')
    await contains(reader, text)
    reader.text.insert(0, 'and ')
    await contains(ann, `and ${text}`)
    ann.destroy()
    await clients[0].sees(reader.doc.clientID)
  })
}
