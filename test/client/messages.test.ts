import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocketServer } from 'ws'
import type { Connection } from '../../client/src/connection/connection.ts'
import * as client from '../../client/src/connection/messages.ts'
import * as server from '../../server/src/protocol/wire/messages.ts'
import { bytes } from '../support/bytes.ts'
import { open, reached } from '../support/connections.ts'
import { step2 } from '../support/messages.ts'

test('the client means by each name and number what the server means by it', () => {
  expect(server.SUBPROTOCOL).toBe(client.SUBPROTOCOL)
  expect(server.MESSAGE).toMatchObject(client.MESSAGE)
  expect(server.SYNC).toEqual(client.SYNC)
  expect(server.REFUSAL).toEqual(client.REFUSAL)
})

/** A connection to a server that says just this. */
async function hear(...messages: readonly Uint8Array[]): Promise<Connection> {
  const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => void sockets.close())
  sockets.on('connection', (socket) => {
    for (const message of messages) socket.send(message)
  })
  await once(sockets, 'listening')
  const address = sockets.address()
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port')
  return open({ url: `ws://127.0.0.1:${address.port}` })
}

describe('a refusal', () => {
  test('of a full document keeps edits from being stored, and nothing else', async () => {
    const connection = await hear(bytes(102, 0))
    await reached(connection, ({ error }) => error !== null)
    expect(connection.state).toMatchObject({ connection: 'online', access: 'write', error: { code: 'FULL' } })
  })

  test.each<[string, Uint8Array]>([
    ['of a kind that only later servers know', bytes(102, 100, 'more')],
    ['of a type that only later servers know', bytes(103, 0)],
  ])('%s is ignored', async (_, message) => {
    const connection = await hear(message, step2())
    await reached(connection, ({ synced }) => synced)
    expect(connection.state).toMatchObject({ connection: 'online', access: 'write', error: null })
  })

  test('of permission is no matter of its words', async () => {
    const connection = await hear(bytes(2, 0, 'FULL: the document has reached its limit'), step2())
    await reached(connection, ({ synced }) => synced)
    expect(connection.state).toMatchObject({ access: 'read', error: null })
  })
})
