import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { attack } from '../support/attack.ts'
import { byte, bytes } from '../support/bytes.ts'
import { edit, Writer } from '../support/edits.ts'
import { lastEntry } from '../support/event-stream.ts'
import { ROOT, section } from '../support/handmade-updates.ts'
import { step2, update } from '../support/messages.ts'
import { untilChanged } from '../support/until.ts'

const release = onTestFinished

describe('R15', () => {
  const stranger = new Writer(7)
  const unknown = stranger.insert('nobody has this')
  const upon = new Writer(8).learn(unknown).insert('upon it')

  test.each<[string, Uint8Array]>([
    ['deletes ids that nobody has', bytes(0, 1, 7, 1, 0, 1000)],
    ['builds upon ids that nobody has', upon.update],
    ['goes on behind a gap', bytes(1, 1, 7, 1000, 4, ROOT, 'text', 0)],
    ['skips ids that nobody has', section(2, 10, 5, 4, ROOT, 'text')],
    [
      'goes in a circle with that of another client',
      bytes(2, 1, 8, 0, byte(0x84), 7, 0, 'b', 1, 7, 0, byte(0x84), 8, 0, 'a', 0),
    ],
  ])('R15 an Update that %s closes nobody, and is neither stored nor shown nor acknowledged', async (_, hole) => {
    const { attacker, bystanders, there } = await attack(release)
    const last = await lastEntry(there)
    attacker.send(update(hole), update(hole))
    await attacker.follow()
    expect(attacker.acknowledged).toBe(1)
    expect(await lastEntry(there)).toBe(last)
    await bystanders.areUnharmed()
    // As soon as it says what it has, it is a client like any other.
    attacker.send(step2(), update(edit('whole', 9).update))
    await attacker.until('it is acknowledged again', () => attacker.acknowledged === 5)
    await bystanders.areUnharmed(9)
  })

  test('R15 a flood of them is answered with one Step1, and nothing of it piles up', async () => {
    const { attacker, bystanders, there, lines } = await attack(release)
    const last = await lastEntry(there)
    for (let i = 0; i < 5000; i++) attacker.send(update(upon.update))
    await attacker.follow()
    expect(attacker.all('step1')).toHaveLength(2)
    expect(await lastEntry(there)).toBe(last)
    expect(lines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([])
    await bystanders.areUnharmed()
  })

  test('R15 who has it asked again and again and reads nothing is asked a bounded number of times', async () => {
    const { attacker, bystanders } = await attack(release)
    // Many clients make for a large Step1.
    const crowd = Array.from({ length: 5000 }, (_, index) => 10_000 + index)
    attacker.send(update(bytes(crowd.length, ...crowd.toReversed().map((id) => bytes(1, id, 0, 4, ROOT, 'x')), 0)))
    await attacker.follow()
    attacker.pause()
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 100; i++) attacker.send(update(upon.update), step2())
      await bystanders.areUnharmed(...crowd)
    }
    attacker.send(update(edit('the last of it', 9).update))
    const [{ doc }] = bystanders.here
    await untilChanged([doc], 'the server has taken all of it', () => Y.getState(doc.store, 9) > 0)
    attacker.resume()
    await attacker.follow()
    await bystanders.areUnharmed(...crowd, 9)
    expect(attacker.all('step1').length).toBeLessThan(700)
  })
})

describe('R14', () => {
  test('R14 ids that are known keep their content, whoever says that they have another', async () => {
    const { attacker, bystanders, there } = await attack(release)
    const forged = bystanders.here.map(({ doc }) => edit('forged', doc.clientID))
    const last = await lastEntry(there)
    // One struct as long as what they have written: the same ids, other content.
    for (const { doc } of bystanders.here) {
      attacker.send(update(bytes(1, 1, doc.clientID, 0, 0, Y.getState(doc.store, doc.clientID), 0)))
    }
    await attacker.until('all is acknowledged', () => attacker.acknowledged === 1 + forged.length)
    expect(await lastEntry(there)).toBe(last)
    await bystanders.areUnharmed()
  })

  test('R14 the whole document again and again adds nothing', async () => {
    const { attacker, bystanders, there } = await attack(release)
    const [{ doc }] = bystanders.here
    const last = await lastEntry(there)
    const whole = Y.encodeStateAsUpdate(doc)
    for (let i = 0; i < 500; i++) attacker.send(update(whole), step2(whole))
    await attacker.until('all is acknowledged', () => attacker.acknowledged === 1001)
    expect(await lastEntry(there)).toBe(last)
    await bystanders.areUnharmed()
  })
})
