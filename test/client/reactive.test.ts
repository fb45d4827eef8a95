import { connectionOf } from '@coedit/client/y-websocket'
import { isObservable, observable } from 'mobx'
import { expect, onTestFinished, test } from 'vitest'
import { isProxy, reactive, ref } from 'vue'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { watchPresence } from '../../client/src/peers/presence.ts'
import { contains, open, startRestartable } from '../support/connections.ts'
import { nodeWebSocket } from '../support/stock-clients.ts'

test('a connection and a presence work in what Vue makes reactive, and their document is the same there', async () => {
  const { url } = await startRestartable()
  const connection = open({ url })
  const kept = reactive({
    connection,
    presence: watchPresence(connection.awareness),
    deep: [{ text: connection.text }],
  })
  kept.connection.text.insert(0, 'hello')
  await kept.connection.flush()
  expect(kept.connection.state.saved).toBe(true)
  expect(ref(connection).value.doc).toBe(connection.doc)
  expect(kept.deep[0]?.text).toBe(connection.text)
  await contains(open({ url }), 'hello')

  const other = open({ url, user: { name: 'Ben' } })
  await new Promise<void>((resolve) => {
    kept.presence.subscribe((peers) => peers.some(({ name }) => name === 'Ben') && resolve())
  })
  expect(kept.presence.peers.map(({ name }) => name)).toContain('Ben')
  kept.presence.destroy()
  expect(isProxy(reactive({ other }).other)).toBe(false)
  kept.connection.destroy()
})

test('so does the connection of a y-websocket provider', async () => {
  const { url } = await startRestartable()
  const options = { protocols: ['coedit.v1'], WebSocketPolyfill: nodeWebSocket(), disableBc: true }
  const provider = new WebsocketProvider(url, 'notes', new Y.Doc(), options)
  onTestFinished(() => provider.destroy())
  const { value: connection } = ref(connectionOf(provider))
  await connection.flush()
  expect(connection.state.saved).toBe(true)
})

test('a connection and a presence stay what they are in what MobX makes observable', async () => {
  const { url } = await startRestartable()
  const connection = open({ url })
  const kept = observable({ connection, deep: [{ presence: watchPresence(connection.awareness) }] })
  kept.connection.text.insert(0, 'hello')
  await kept.connection.flush()
  expect(kept.connection.state.saved).toBe(true)
  expect(kept.connection).toBe(connection)
  expect(isObservable(kept.deep[0]?.presence)).toBe(false)
  open({ url, user: { name: 'Ben' } })
  await new Promise<void>((resolve) => {
    kept.deep[0]?.presence.subscribe((peers) => peers.some(({ name }) => name === 'Ben') && resolve())
  })
  kept.deep[0]?.presence.destroy()
  await contains(open({ url }), 'hello')
})
