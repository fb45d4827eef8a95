import type { Connection, ConnectOptions } from '@coedit/client'
import { expect, test } from 'vitest'
import { contains, open, reached, recordErrors, startRestartable } from '../support/connections.ts'

interface Connected {
  readonly connection: Connection
  /** Gives the connection of the same provider once more. */
  readonly again: () => Connection
  /** Ends the provider, as its application does. */
  readonly destroy: () => void
}

/**
 * What a connection over somebody else's provider has in common with one of `connect()`, whoever's that is.
 * @param connected opens a document by a provider of its own, and has a connection over that
 */
export function providerConformance(
  connected: (url: string, options?: Pick<ConnectOptions, 'user'>) => Connected,
): void {
  test('edits are saved when the server has stored them, and survive', async () => {
    const server = await startRestartable()
    const { connection } = connected(server.url)
    expect(connection.state).toMatchObject({ connection: 'connecting', synced: false, saved: false })
    await connection.whenSynced
    await connection.flush()
    expect(connection.state).toMatchObject({ connection: 'online', synced: true, saved: true, unsaved: 0, error: null })
    expect(connection.state.saveTime).toBeNull()
    connection.text.insert(0, 'kept')
    connection.text.insert(0, 'is ')
    expect(connection.state).toMatchObject({ saved: false, unsaved: 2 })
    await connection.flush()
    expect(connection.state.saveTime).toBeGreaterThanOrEqual(0)
    await server.close()
    await server.restart()
    await contains(open({ url: server.url }), 'is kept')
  })

  test('edits made offline are unsaved until the next socket has brought them; others’ edits never are', async () => {
    const server = await startRestartable()
    const { connection } = connected(server.url)
    connection.text.insert(0, 'online')
    await connection.flush()
    await server.close()
    await reached(connection, ({ connection }) => connection === 'offline')
    connection.text.insert(0, 'offline, ')
    expect(connection.state).toMatchObject({ synced: false, saved: false, unsaved: 1 })
    await server.restart()
    await connection.flush()
    const other = open({ url: server.url })
    await contains(other, 'offline, online')
    const claims: boolean[] = []
    connection.subscribe(({ saved }) => claims.push(saved))
    other.text.insert(0, 'by another: ')
    await contains(connection, 'by another: offline, online')
    expect(claims).toEqual([])
  })

  test('shows and is shown presence', async () => {
    const { url } = await startRestartable()
    const { connection } = connected(url, { user: { name: 'Ann', color: '#2456d6' } })
    const other = open({ url, user: { name: 'Ben' } })
    const name = (from: typeof other, of: typeof other) =>
      new Promise((resolve) => {
        const look = () => {
          const state = from.awareness.getStates().get(of.doc.clientID)
          if (state) resolve(state.user.name)
        }
        from.awareness.on('change', look)
        look()
      })
    expect(await name(other, connection)).toBe('Ann')
    expect(await name(connection, other)).toBe('Ben')
  })

  test('tells of an edit that is too large', async () => {
    const { url } = await startRestartable({ maxMessageBytes: 10_000 })
    const { connection } = connected(url)
    await connection.flush()
    connection.text.insert(0, 'x'.repeat(20_000))
    await reached(connection, ({ error }) => error?.code === 'TOO_LARGE')
    connection.text.delete(10, 20_000)
    // 2.15 comes back no more by itself.
    connection.resume()
    await connection.flush()
    expect(connection.state).toMatchObject({ error: null, saved: true })
  })

  test('tells of a server that cannot be reached until it can', async () => {
    const server = await startRestartable()
    await server.close()
    const { connection } = connected(server.url)
    const codes = recordErrors(connection)
    await reached(connection, ({ error }) => error?.code === 'UNREACHABLE')
    await server.restart()
    connection.reconnectNow()
    await connection.flush()
    expect(connection.state.error).toBeNull()
    expect(codes).toEqual(['UNREACHABLE'])
  })

  test('rests and comes back by pause and resume', async () => {
    const { url } = await startRestartable()
    const { connection } = connected(url)
    await connection.flush()
    for (const letter of 'ab') {
      connection.pause()
      expect(connection.state).toMatchObject({ connection: 'offline', synced: false, saved: false })
      connection.text.insert(0, letter)
      connection.resume()
      await connection.flush()
      expect(connection.state).toMatchObject({ connection: 'online', synced: true, saved: true, error: null })
    }
    await contains(open({ url }), 'ba')
  })

  test('has one connection, outlives it, and may have another one then', async () => {
    const { url } = await startRestartable()
    const { connection, again, destroy } = connected(url)
    expect(again()).toBe(connection)
    await connection.flush()
    connection.destroy()
    await expect(connection.flush()).rejects.toMatchObject({ code: 'DESTROYED' })
    connection.text.insert(0, 'by the provider')
    await contains(open({ url }), 'by the provider')
    const next = again()
    expect(next).not.toBe(connection)
    next.text.insert(0, 'again ')
    await next.flush()
    await contains(open({ url }), 'again by the provider')
    destroy()
    await expect(next.flush()).rejects.toMatchObject({ code: 'DESTROYED' })
  })
}
