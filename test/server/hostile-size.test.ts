import { expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { startBesieged } from '../support/besieged.ts'
import { Bystanders } from '../support/bystanders.ts'
import { byte, bytes } from '../support/bytes.ts'
import { step2, update } from '../support/messages.ts'
import { connectRaw } from '../support/raw-client.ts'
import { freshCopy } from '../support/stock-clients.ts'

const release = onTestFinished
const MANY = 100_000
/** A chunk of a snapshot, and what may come with it. */
const MAX_FRAME_BYTES = 300 * 1024

async function start() {
  const { url, others, server, lines } = await startBesieged({ release })
  const bystanders = await Bystanders.join({ release, url, others, document: 'notes' })
  const crowded = { release, url, document: 'crowded', protocols: ['coedit.v1'] }
  const attacker = await connectRaw(crowded)
  await attacker.follow(step2())
  return { url, server, lines, bystanders, crowded, attacker }
}

/** That many structs of one client, one id each. */
function structs(count: number, structAt: (clock: number) => Uint8Array): Uint8Array {
  return bytes(1, count, 7, 0, Buffer.concat(Array.from({ length: count }, (_, clock) => structAt(clock))), 0)
}

/** A subdocument without options, behind the one before it. */
function subdocument(clock: number): Uint8Array {
  return clock === 0 ? bytes(9, 1, 't', 'guid', 118, 0) : bytes(byte(0x89), 7, clock - 1, 'guid', 118, 0)
}

function clients(count: number): Uint8Array {
  const sections = Array.from({ length: count }, (_, index) => bytes(1, count - index, 0, 4, 1, 't', 'x'))
  return bytes(count, Buffer.concat(sections), 0)
}

test.each<[string, () => Uint8Array, ids: number]>([
  ['100,000 subdocuments', () => structs(MANY, subdocument), MANY],
  ['100,000 root names', () => structs(MANY, (clock) => bytes(4, 1, `root ${clock}`, 'x')), MANY],
  ['100,000 map keys', () => structs(MANY, (clock) => bytes(0x24, 1, 'm', `key ${clock}`, 'x')), MANY],
  ['20,000 client ids', () => clients(20_000), 20_000],
])('R14 %s are a document like any other, and those elsewhere notice nothing', async (_, make, ids) => {
  const { bystanders, crowded, attacker, server, lines } = await start()
  attacker.send(update(make()))
  await Promise.all([attacker.until('it is acknowledged', () => attacker.acknowledged === 2), bystanders.areUnharmed()])
  const reader = await connectRaw(crowded)
  await reader.follow()
  const { stateVector } = await reader.message('step1')
  const clocks = [...Y.decodeStateVector(stateVector).values()]
  expect(clocks.reduce((sum, clock) => sum + clock, 0)).toBe(ids)
  for (const { update } of reader.all('update')) expect(update.length).toBeLessThan(MAX_FRAME_BYTES)
  await bystanders.areUnharmed()
  await server.close()
  expect(lines.filter(({ level }) => level === 'error')).toEqual([])
})

test('R14 names of the prototype are names: of root types, map keys, elements and in values', async () => {
  const { url, bystanders, attacker } = await start()
  attacker.send(
    update(
      structs(
        5,
        (clock) =>
          [
            bytes(0x28, 1, 'map', '__proto__', 1, 118, 1, 'polluted', 120),
            bytes(0x28, 1, 'map', 'constructor', 1, 118, 1, '__proto__', 118, 1, 'polluted', 120),
            bytes(8, 1, '__proto__', 1, 119, 'text'),
            bytes(7, 1, 'xml', 3, '__proto__'),
            bytes(6, 1, 'text', '__proto__', '{"__proto__":{"polluted":true}}'),
          ].at(clock) ?? bytes(),
      ),
    ),
  )
  await attacker.until('it is acknowledged', () => attacker.acknowledged === 2)
  const doc = await freshCopy({ release, url, document: 'crowded' })
  expect([...doc.getMap('map').keys()].toSorted()).toEqual(['__proto__', 'constructor'])
  expect(doc.getArray('__proto__').toArray()).toEqual(['text'])
  expect({}).not.toHaveProperty('polluted')
  await bystanders.areUnharmed()
})
