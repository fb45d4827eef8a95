import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { attack } from '../support/attack.ts'
import { byte, bytes } from '../support/bytes.ts'
import { edit } from '../support/edits.ts'
import { lastEntry } from '../support/event-stream.ts'
import { item, nestedAny, section } from '../support/handmade-updates.ts'
import { update } from '../support/messages.ts'
import { connectRaw } from '../support/raw-client.ts'

const release = onTestFinished
const MANY = 2 ** 53 - 1

function inVersion2(): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, 'hello')
  return Y.encodeStateAsUpdateV2(doc)
}

describe('R16', () => {
  test.each<[string, Uint8Array]>([
    ['nothing', bytes()],
    ['more clients than bytes', bytes(MANY)],
    ['more structs than bytes', bytes(1, MANY, 7, 0, 0, 1, 0)],
    ['more deleted ranges than bytes', bytes(0, 1, 7, MANY)],
    ['more values than bytes', item(8, MANY, 126)],
    ['more array elements than bytes', item(8, 1, 117, MANY)],
    ['a longer string than bytes', item(4, MANY, byte(65))],
    ['the second encoding of Yjs', inVersion2()],
    [
      'five million structs in 25 bytes of the second encoding',
      bytes(0, 0, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 5_000_000, 7, 0),
    ],
    ['a million structs of length 0', section(1e6, new Uint8Array(2e6))],
    ['clocks near 2^53', bytes(1, 1, 7, MANY - 1, 0, 1, 0)],
    ['a length of 2^50', section(1, 0, 2 ** 50)],
    ['deletions near 2^53', bytes(0, 1, 7, 1, MANY - 1, 1)],
    ['an unknown kind of content', item(11)],
    ['an unknown shared type', item(7, 7)],
    ['an unknown type of value', item(8, 1, 115)],
    ['text that is not UTF-8', item(4, bytes(2, Uint8Array.of(0xc3, 0x28)))],
    ['an embed that is no JSON', item(5, '{')],
    ['values nested 10,000 deep', item(8, 1, nestedAny(10_000))],
    ['JSON nested 10,000 deep', item(5, '['.repeat(10_000) + ']'.repeat(10_000))],
    ['an origin that is the item itself', section(1, byte(0x84), 7, 0, 'text')],
    ['a right origin that is the item itself', section(1, 0x44, 7, 0, 'text')],
    ['a parent that is the item itself', section(1, 4, 0, 7, 0, 'text')],
    ['an origin inside of the item', section(1, byte(0x84), 7, 2, 'text')],
    ['client sections out of order', bytes(2, 1, 7, 0, 0, 1, 1, 8, 0, 0, 1, 0)],
    ['a client twice', bytes(2, 1, 7, 0, 0, 1, 1, 7, 1, 0, 1, 0)],
    ['a good update and a byte more', bytes(edit('good', 7).update, 0)],
    ['a good update without its last byte', edit('good', 7).update.slice(0, -1)],
  ])('R16 an update of %s closes its sender alone, and is not stored, shown or acknowledged', async (_, malformed) => {
    const { attacker, bystanders, there } = await attack(release)
    const last = await lastEntry(there)
    attacker.send(update(malformed), update(edit('after').update))
    expect((await attacker.closed).code).toBe(1008)
    expect(attacker.acknowledged).toBe(1)
    expect(await lastEntry(there)).toBe(last)
    await bystanders.areUnharmed()
  })

  test('R16 an update that is cut anywhere closes its sender alone', async () => {
    const { bystanders, there } = await attack(release)
    const good = edit('good', 7).update
    for (let length = 0; length < good.length; length++) {
      const attacker = await connectRaw(there)
      attacker.send(update(good.subarray(0, length)))
      expect((await attacker.closed).code, `cut to ${length} bytes`).toBe(1008)
    }
    await bystanders.areUnharmed()
  })

  test('R16 a large malformed update closes its sender alone, too', async () => {
    const { attacker, bystanders } = await attack(release)
    attacker.send(update(bytes(item(4, 'x'.repeat(1_000_000)), 0)))
    expect((await attacker.closed).code).toBe(1008)
    await bystanders.areUnharmed()
  })
})
