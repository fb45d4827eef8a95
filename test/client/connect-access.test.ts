import { describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import type { WebSocketClass } from '../../client/src/connection/connection.ts'
import { contains, open, startRestartable } from '../support/connections.ts'

describe('access "read"', () => {
  test('reads what others write, and is not asked for what it has', async () => {
    const { url } = await startRestartable()
    const writer = open({ url })
    writer.text.insert(0, 'for all to read')
    await writer.flush()
    const reader = open({ url, access: 'read' })
    expect(reader.state.access).toBe('read')
    await contains(reader, 'for all to read')
    await reader.whenSynced
    writer.text.insert(0, 'now: ')
    await contains(reader, 'now: for all to read')
    expect(reader.state).toMatchObject({ access: 'read', saved: false, unsaved: 0 })
    await expect(reader.flush()).rejects.toMatchObject({ code: 'DENIED' })
  })

  test('is what the server allows, told before anything is typed; what is typed nobody gets to see', async () => {
    const { url } = await startRestartable()
    // As a server does that tells by the token who may write.
    const reader = open({ url, WebSocket: readOnlySockets() })
    await reader.whenSynced
    expect(reader.state.access).toBe('read')
    reader.text.insert(0, 'not allowed')
    expect(reader.state).toMatchObject({ saved: false, unsaved: 1 })
    const other = open({ url })
    await other.flush()
    expect(other.text.toString()).toBe('')
  })
})

/** Sockets whose every address asks for a connection that cannot write. */
function readOnlySockets(): WebSocketClass {
  return class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(`${url}?access=read`, protocols)
    }
  }
}
