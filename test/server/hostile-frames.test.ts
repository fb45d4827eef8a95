import { expect, onTestFinished, test } from 'vitest'
import { startBesieged } from '../support/besieged.ts'
import { Bystanders } from '../support/bystanders.ts'
import { type Frame, OPCODE, openRawSocket, type RawSocket } from '../support/raw-socket.ts'

const release = onTestFinished
const document = 'notes'
const MAX_MESSAGE_BYTES = 1024 * 1024

async function attack(): Promise<{ socket: RawSocket; bystanders: Bystanders }> {
  const { url, others } = await startBesieged({ release, options: { maxMessageBytes: MAX_MESSAGE_BYTES } })
  const bystanders = await Bystanders.join({ release, url, others, document })
  return { socket: await openRawSocket({ release, url, target: `/${document}` }), bystanders }
}

function fragments(count: number, payload: Uint8Array, ends: boolean): Frame[] {
  return Array.from({ length: count }, (_, index) => ({
    opcode: index === 0 ? OPCODE.binary : OPCODE.continuation,
    fin: ends && index === count - 1,
    payload,
  }))
}

function closeFrame(code: number, reason: Uint8Array = new Uint8Array()): Frame {
  const payload = Buffer.concat([Buffer.alloc(2), reason])
  payload.writeUInt16BE(code)
  return { opcode: OPCODE.close, payload }
}

const SMALL = Uint8Array.of(42)
const NOT_UTF8 = Uint8Array.of(0xc3, 0x28)

test.each<[string, Frame[], number]>([
  ['a frame over the size limit', [{ declaredLength: MAX_MESSAGE_BYTES + 1 }], 1009],
  ['a frame of 2^53 bytes', [{ declaredLength: 2 ** 53 }], 1009],
  ['10,000 tiny fragments', fragments(10_000, SMALL, true), 1008],
  ['10,000 empty fragments', fragments(10_000, new Uint8Array(), true), 1008],
  ['tiny fragments that never end', fragments(5_000, SMALL, false), 1008],
  ['large fragments that never end', fragments(5, new Uint8Array(300_000), false), 1009],
  ['a frame that is not masked', [{ payload: SMALL, masked: false }], 1002],
  ['the bit of a compressed frame, for compression was not agreed', [{ payload: SMALL, reserved: 4 }], 1002],
  ['a reserved bit', [{ payload: SMALL, reserved: 1 }], 1002],
  ['an unknown data opcode', [{ payload: SMALL, opcode: 3 }], 1002],
  ['an unknown control opcode', [{ payload: SMALL, opcode: 11 }], 1002],
  ['a continuation of nothing', [{ payload: SMALL, opcode: OPCODE.continuation }], 1002],
  ['a new message inside of another', [{ payload: SMALL, fin: false }, { payload: SMALL }], 1002],
  ['a ping in fragments', [{ opcode: OPCODE.ping, fin: false }], 1002],
  ['a ping of 126 bytes', [{ opcode: OPCODE.ping, payload: new Uint8Array(126) }], 1002],
  ['a text frame', [{ opcode: OPCODE.text, payload: Buffer.from('hello') }], 1003],
  ['a text that is not UTF-8', [{ opcode: OPCODE.text, payload: NOT_UTF8 }], 1007],
  ['a close frame of one byte', [{ opcode: OPCODE.close, payload: SMALL }], 1002],
  ['a close frame with a code that must not be sent', [closeFrame(1005)], 1002],
  ['a close frame with a code of no meaning', [closeFrame(999)], 1002],
  ['a close frame whose reason is not UTF-8', [closeFrame(1000, NOT_UTF8)], 1007],
])('R31 %s closes its sender alone', async (_, frames, code) => {
  const { socket, bystanders } = await attack()
  socket.send(...frames)
  expect((await socket.closed).code).toBe(code)
  await bystanders.areUnharmed()
})

test('R31 compression is not agreed to, so that nothing small becomes large', async () => {
  const { url } = await startBesieged({ release })
  const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' }
  const { answer } = await openRawSocket({ release, url, target: '/notes', headers })
  expect(await answer).toMatchObject({ status: 101 })
  expect((await answer).headers.has('sec-websocket-extensions')).toBe(false)
})

test('R31 a flood of pings is answered ping by ping, or cut when its sender does not read', async () => {
  const { socket, bystanders } = await attack()
  const ping = { opcode: OPCODE.ping, payload: new Uint8Array(125) }
  for (let round = 1; round <= 100; round++) {
    socket.send(...Array<Frame>(20).fill(ping))
    await socket.untilPong(20 * round)
  }
  await bystanders.areUnharmed()
  socket.pause()
  for (let round = 0; round < 200; round++) {
    socket.send(...Array<Frame>(1000).fill(ping))
    await socket.flushed()
  }
  socket.resume()
  expect((await socket.closed).code).toBe(1006)
  await bystanders.areUnharmed()
})
