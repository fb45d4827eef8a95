import { describe, expect, onTestFinished, test } from 'vitest'
import type { ConnectOptions } from '../../client/src/connection/connection.ts'
import { contains, open } from '../support/connections.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { startStallingProxy } from '../support/stalling-proxy.ts'
import { startStockServer } from '../support/stock-server.ts'

/** A connection that is online and saved, at a line that can go dead, by a clock that stands still. */
async function openOnline(options: Partial<ConnectOptions> = {}) {
  const server = await startInProcess({ release: onTestFinished })
  const line = await startStallingProxy(onTestFinished, server.url)
  const clock = new ManualClock()
  const connection = open({ ...options, url: line.url }, { clock })
  await connection.flush()
  return { line, clock, connection, serverUrl: server.url }
}

describe('a line that has gone dead', () => {
  test('is noticed within 7 s of an edit, and the edit is saved over the next one', async () => {
    const { line, clock, connection, serverUrl } = await openOnline()
    line.stall()
    connection.text.insert(0, 'into the void')
    clock.advance(3_999)
    clock.advance(1)
    expect(connection.state).toMatchObject({ connection: 'online', saved: false })
    clock.advance(2_999)
    expect(connection.state.connection).toBe('online')
    clock.advance(1)
    expect(connection.state).toMatchObject({ connection: 'offline', synced: false, saved: false, unsaved: 1 })

    line.recover()
    clock.advance(100)
    await connection.flush()
    await contains(open({ url: serverUrl }), 'into the void')
  })

  test('is noticed within 33 s when nobody edits', async () => {
    const { line, clock, connection } = await openOnline()
    line.stall()
    clock.advance(30_000)
    expect(connection.state).toMatchObject({ connection: 'online', saved: true })
    clock.advance(2_999)
    expect(connection.state.connection).toBe('online')
    clock.advance(1)
    expect(connection.state).toMatchObject({ connection: 'offline', saved: false })
  })

  test('on which a socket does not even open is given up after 15 s', async () => {
    const { line, clock, connection } = await openOnline()
    line.stall()
    connection.pause()
    connection.resume()
    clock.advance(4_000)
    clock.advance(10_999)
    line.recover()
    expect(clock.pending).toEqual([1])
    clock.advance(1)
    expect(clock.pending).toEqual([200])
    clock.advance(200)
    await connection.flush()
  })
})

describe('a line that lives', () => {
  test('is not given up: the server answers the probe', async () => {
    const { clock, connection } = await openOnline()
    for (let round = 0; round < 3; round++) {
      clock.advance(30_000)
      // The probe is answered before this is.
      connection.text.insert(0, 'a')
      await connection.flush()
      expect(clock.pending).toEqual([30_000])
    }
    clock.advance(3_000)
    expect(connection.state).toMatchObject({ connection: 'online', saved: true })
  })

  test('gets time for an upload before it is given up', async () => {
    const { line, clock, connection } = await openOnline()
    line.stall()
    connection.text.insert(0, 'x'.repeat(160_000))
    clock.advance(4_000)
    clock.advance(12_999)
    expect(connection.state.connection).toBe('online')
    clock.advance(1)
    expect(connection.state.connection).toBe('offline')
  })

  test('of a server that does not acknowledge is probed again and again, and stays', async () => {
    const url = await startStockServer(onTestFinished)
    const clock = new ManualClock()
    const connection = open({ url }, { clock })
    const other = open({ url })
    await Promise.all([connection.whenSynced, other.whenSynced])
    connection.text.insert(0, 'a')
    await contains(other, 'a')
    for (let round = 1; round < 4; round++) {
      clock.advance(4_000)
      expect(clock.pending).toEqual([3_000])
      other.text.insert(0, 'b')
      await contains(connection, `${'b'.repeat(round)}a`)
      expect(clock.pending).toEqual([4_000])
    }
    expect(connection.state).toMatchObject({ connection: 'online', saved: false, unsaved: 1 })
  })
})
