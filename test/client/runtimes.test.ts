import { runInNewContext } from 'node:vm'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import WebSocket from 'ws'
import { contains, open, reached, startRestartable } from '../support/connections.ts'

/** A class whose messages are what `wrap` makes of those that came, whatever `binaryType` is set to. */
function socketGiving(wrap: (bytes: ArrayBuffer) => unknown) {
  return class extends WebSocket {
    override emit(type: string | symbol, ...args: unknown[]): boolean {
      const [data, ...others] = args
      return data instanceof ArrayBuffer ? super.emit(type, wrap(data), ...others) : super.emit(type, ...args)
    }
  }
}

const ForeignArrayBuffer: ArrayBufferConstructor = runInNewContext('ArrayBuffer')
const ForeignUint8Array: Uint8ArrayConstructor = runInNewContext('Uint8Array')

function foreign(bytes: ArrayBuffer): ArrayBuffer {
  const buffer = new ForeignArrayBuffer(bytes.byteLength)
  new Uint8Array(buffer).set(new Uint8Array(bytes))
  return buffer
}

/** The first Blob is read last. */
function slowBlobs(): (bytes: ArrayBuffer) => unknown {
  let first: () => void = () => undefined
  let count = 0
  return (bytes) => {
    const blob = new Blob([bytes])
    count += 1
    if (count > 1) {
      first()
      return blob
    }
    const released = new Promise<void>((resolve) => {
      first = resolve
    })
    return { arrayBuffer: () => released.then(() => blob.arrayBuffer()) }
  }
}

describe('messages that come as', () => {
  const kinds: readonly [string, () => (bytes: ArrayBuffer) => unknown][] = [
    [
      'Buffer in the midst of a larger one',
      () => (bytes) => Buffer.concat([Buffer.alloc(8), Buffer.from(bytes)]).subarray(8),
    ],
    ['ArrayBuffer of another realm', () => foreign],
    ['Uint8Array of another realm', () => (bytes) => new ForeignUint8Array(foreign(bytes))],
    ['Blob', () => (bytes) => new Blob([bytes])],
    ['Blobs that are read out of turn', slowBlobs],
  ]

  test.each(kinds)('%s are understood, in order', async (_, kind) => {
    const { url } = await startRestartable()
    const other = open({ url })
    other.text.insert(0, 'hello')
    await other.flush()
    const connection = open({ url, WebSocket: socketGiving(kind()) })
    await contains(connection, 'hello')
    connection.text.insert(5, ' you')
    await connection.flush()
    await contains(other, 'hello you')
  })

  test('a Blob that cannot be read end the socket, and another one brings all', async () => {
    const { url } = await startRestartable()
    let failures = 1
    const failing = (bytes: ArrayBuffer) => ({
      arrayBuffer: async () => {
        failures -= 1
        if (failures === 0) throw new Error('NotReadableError')
        return bytes
      },
    })
    const connection = open({ url, WebSocket: socketGiving(failing) })
    await reached(connection, (state) => state.connection === 'offline')
    await connection.flush()
  })
})

test('where `window` takes no listeners, as in React Native, it connects, and guards nothing', async () => {
  vi.stubGlobal('window', {})
  onTestFinished(() => {
    vi.unstubAllGlobals()
  })
  const { url } = await startRestartable()
  const connection = open({ url })
  connection.text.insert(0, 'a')
  await connection.flush()
  connection.destroy()
  await expect(connection.flush()).rejects.toMatchObject({ code: 'DESTROYED' })
})
