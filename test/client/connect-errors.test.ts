import { describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { connect } from '../../client/src/connection/connect.ts'
import { contains, open, reached, recordErrors, startRestartable } from '../support/connections.ts'
import { ManualClock } from '../support/manual-clock.ts'

describe('errors', () => {
  test('a server that cannot be reached: after three attempts, once, until there is a socket again', async () => {
    const server = await startRestartable()
    const connection = open({ url: server.url })
    const codes = recordErrors(connection)
    await connection.flush()
    await server.close()
    await reached(connection, ({ error }) => error !== null)
    expect(connection.state).toMatchObject({ connection: 'offline', error: { code: 'UNREACHABLE' } })
    await server.restart()
    await connection.flush()
    expect(connection.state.error).toBeNull()
    expect(codes).toEqual(['UNREACHABLE'])
  })

  test('a runtime that opens no socket to such an address: said, and tried again', async () => {
    const { url } = await startRestartable()
    let attempts = 0
    class ForbiddenAtFirst extends WebSocket {
      constructor(...parameters: ConstructorParameters<typeof WebSocket>) {
        attempts += 1
        if (attempts === 1) throw new Error('insecure')
        super(...parameters)
      }
    }
    const connection = open({ url, WebSocket: ForbiddenAtFirst })
    expect(connection.state).toMatchObject({ connection: 'offline', error: { code: 'UNREACHABLE' } })
    expect(connection.state.error?.cause).toMatchObject({ message: 'insecure' })
    await connection.flush()
    expect(connection.state.error).toBeNull()
  })

  test('an edit that is too large for the server: said until it is undone and the rest is stored', async () => {
    const { url } = await startRestartable({ maxMessageBytes: 10_000 })
    const clock = new ManualClock()
    const connection = open({ url }, { clock })
    const codes = recordErrors(connection)
    await connection.flush()
    connection.text.insert(0, 'x'.repeat(20_000))
    await reached(connection, ({ error }) => error !== null)
    expect(connection.state).toMatchObject({ connection: 'offline', error: { code: 'TOO_LARGE' }, unsaved: 1 })
    // Not at once: the same message would be refused again.
    expect(clock.pending).toEqual([30_000])
    clock.advance(30_000)
    await reached(connection, ({ connection }) => connection === 'online')
    await reached(connection, ({ connection }) => connection === 'offline')
    expect(connection.state.error).toMatchObject({ code: 'TOO_LARGE' })
    connection.text.delete(10, 20_000)
    clock.advance(30_000)
    await connection.flush()
    expect(connection.state).toMatchObject({ error: null, saved: true, unsaved: 0 })
    expect(codes).toEqual(['TOO_LARGE'])
  })

  test('a document that is full: said until something is deleted and the rest is stored', async () => {
    const { url } = await startRestartable({ maxDocumentBytes: 10_000, compactIntervalMs: 100 })
    const connection = open({ url })
    const codes = recordErrors(connection)
    connection.text.insert(0, 'x'.repeat(8_000))
    await connection.flush()
    connection.text.insert(0, 'y'.repeat(4_000))
    await reached(connection, ({ error }) => error !== null)
    expect(connection.state).toMatchObject({
      connection: 'online',
      error: { code: 'FULL' },
      saved: false,
      access: 'write',
    })
    connection.text.delete(4_000, 8_000)
    await connection.flush()
    expect(connection.state).toMatchObject({ error: null, saved: true, unsaved: 0 })
    expect(codes).toEqual(['FULL'])
    const reader = open({ url })
    await contains(reader, 'y'.repeat(4_000))
  })

  test('access for good denied is an error, a state, and over with resume', async () => {
    const { url } = await startRestartable()
    const connection = open({ url, document: 'x'.repeat(300) })
    const codes = recordErrors(connection)
    await reached(connection, ({ access }) => access === 'denied')
    expect(connection.state.error).toMatchObject({ code: 'DENIED' })
    connection.resume()
    expect(connection.state.access).toBe('write')
    await reached(connection, ({ access }) => access === 'denied')
    expect(codes).toEqual(['DENIED', 'DENIED'])
  })

  test('an offline copy without a user to keep it for', () => {
    for (const user of [undefined, { name: 'Ann' }]) {
      const connecting = () =>
        connect({ url: 'ws://127.0.0.1:1', document: 'notes', WebSocket, offline: true, ...(user && { user }) })
      expect(connecting).toThrow(expect.objectContaining({ code: 'USER_MISSING' }))
    }
  })

  test('a runtime that keeps no offline copy: it works without one, and says so once', async () => {
    const { url } = await startRestartable()
    const connection = open({ url, offline: true, user: { id: 'ann', name: 'Ann' } })
    const codes = recordErrors(connection)
    await reached(connection, ({ copy }) => copy === 'failed')
    await connection.flush()
    expect(codes).toEqual(['OFFLINE_COPY_FAILED'])
    expect(connection.state.error).toBeNull()
  })
})
