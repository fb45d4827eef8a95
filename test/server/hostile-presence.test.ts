import { describe, expect, onTestFinished, test } from 'vitest'
import { startBesieged } from '../support/besieged.ts'
import { Bystanders } from '../support/bystanders.ts'
import { bytes } from '../support/bytes.ts'
import { type PresenceEntry, presence, step1 } from '../support/messages.ts'
import { connectRaw } from '../support/raw-client.ts'

const release = onTestFinished
const document = 'notes'
const MANY = 2 ** 53 - 1
/** Where there are several servers, they show clients with clocks so far ahead of their own. */
const MAX_LEAD = 2 ** 16

async function attack() {
  const { url, others } = await startBesieged({ release })
  const there = { release, url, others, document }
  const bystanders = await Bystanders.join(there)
  const elsewhere = { ...there, url: others.at(-1) ?? url }
  const [attacker, witness] = await Promise.all([connectRaw(there), connectRaw(elsewhere)])
  await Promise.all([attacker.follow(), witness.follow()])
  const victims = bystanders.here.map(({ doc }) => doc.clientID)
  return { there, bystanders, attacker, witness, victims }
}

/** Deep enough to break who parses it. */
const DEEP = Buffer.from('['.repeat(100_000) + ']'.repeat(100_000))

describe('R25', () => {
  test.each<[string, (victim: number) => PresenceEntry[]]>([
    ['the state of somebody else', (victim) => [{ clientId: victim, clock: 100, state: 'forged' }]],
    ['the departure of somebody else', (victim) => [{ clientId: victim, clock: 100, state: null }]],
    ['a clock of 2^53 - 1 for somebody else', (victim) => [{ clientId: victim, clock: MANY, state: null }]],
    ['a clock of 2^53 - 1 of its own', () => [{ clientId: 7, clock: MANY, state: 'mine' }]],
    ['a state of 64 KiB and more', () => [{ clientId: 7, clock: 1, state: 'x'.repeat(64 * 1024) }]],
    ['JSON that is 100,000 deep', () => [{ clientId: 7, clock: 1, state: DEEP }]],
    ['invalid JSON', () => [{ clientId: 7, clock: 1, state: Buffer.from('{') }]],
    ['an empty state', () => [{ clientId: 7, clock: 1, state: Buffer.alloc(0) }]],
    [
      'invalid JSON between two of somebody else',
      (victim) => [
        { clientId: victim, clock: 98, state: 'forged' },
        { clientId: 7, clock: 1, state: Buffer.from('nil') },
        { clientId: victim, clock: 99, state: 'forged' },
      ],
    ],
    ['nobody at all', () => []],
  ])('R25 %s is dropped', async (_, entries) => {
    const { attacker, witness, bystanders, victims } = await attack()
    const before = witness.all('presence').length
    for (const victim of victims) attacker.send(presence(...entries(victim)))
    await attacker.follow()
    await bystanders.areUnharmed()
    for (const entry of witness
      .all('presence')
      .slice(before)
      .flatMap((message) => message.entries)) {
      expect(entry.state).not.toBe('forged')
      expect(entry.clientId).not.toBe(7)
      expect(entry.clock % MAX_LEAD).toBeLessThan(98)
    }
  })

  test.each<[string, Uint8Array]>([
    ['an entry cut short', bytes(1, 4, 1, 7, 1, 9)],
    ['more entries than bytes', bytes(1, 8, MANY)],
    ['a number that does not end', bytes(1, 20, new Uint8Array(20).fill(0xff))],
    ['a byte after the last entry', bytes(1, 2, 0, 0)],
  ])('R31 presence with %s closes its sender alone', async (_, message) => {
    const { attacker, bystanders } = await attack()
    attacker.send(message)
    expect((await attacker.closed).code).toBe(1008)
    await bystanders.areUnharmed()
  })

  test('R25 of one message no more states are looked into than a connection may hold ids', async () => {
    const { attacker, witness, bystanders } = await attack()
    attacker.send(presence({ clientId: 7, clock: 1, state: 'here' }))
    const repeated = Array.from({ length: 1000 }, (_, index) => ({ clientId: 7, clock: 2 + index, state: 'again' }))
    attacker.send(presence(...repeated))
    const invalid = Array.from({ length: 5 }, () => ({ clientId: 7, clock: 2000, state: Buffer.alloc(0) }))
    attacker.send(presence(...invalid, { clientId: 7, clock: 2000, state: 'too late' }))
    attacker.send(presence({ clientId: 7, clock: 1000, state: 'last' }))
    const states = () => witness.all('presence').flatMap(({ entries }) => entries.filter(isSeven))
    await witness.until('the last one came', () => states().some(({ state }) => state === 'last'))
    expect(states().some(({ state }) => state === 'too late')).toBe(false)
    attacker.cut()
    await bystanders.areUnharmed()
  })

  test('R25 a message with more than a mebibyte of presence is dropped whole', async () => {
    const { attacker, bystanders } = await attack()
    const crowd = Array.from({ length: 100 }, (_, index) => ({ clientId: index, clock: 1, state: 'x'.repeat(12_000) }))
    attacker.send(presence(...crowd))
    await attacker.follow()
    await bystanders.areUnharmed()
  })
})

test('R23 of a thousand invented clients four are shown, and gone with their inventor', async () => {
  const { attacker, bystanders, witness } = await attack()
  const crowd = Array.from({ length: 1000 }, (_, index) => ({ clientId: index, clock: 1, state: 'invented' }))
  attacker.send(presence(...crowd))
  await attacker.follow()
  const shown = () =>
    witness.all('presence').flatMap(({ entries }) => entries.filter(({ clientId }) => clientId < 1000))
  await witness.until('some are shown', () => shown().length > 0)
  expect(shown()).toHaveLength(4)
  attacker.cut()
  await bystanders.areUnharmed()
})

test('R27 of a flood of changes a bounded number is sent on', async () => {
  const { attacker, bystanders, witness } = await attack()
  const before = witness.all('presence').length
  for (let clock = 1; clock <= 20_000; clock++) attacker.send(presence({ clientId: 7, clock, state: clock }))
  const isLast = ({ clientId, state }: PresenceEntry) => clientId === 7 && state === 20_000
  await witness.until('the last one came', () => witness.all('presence').some(({ entries }) => entries.some(isLast)))
  expect(witness.all('presence').length - before).toBeLessThan(1000)
  attacker.cut()
  await bystanders.areUnharmed()
})

test('R24 a flood of claims on a client that is here pings it a bounded number of times', async () => {
  const { there, bystanders, witness } = await attack()
  const holder = await connectRaw(there)
  await holder.message('step1')
  holder.send(presence({ clientId: 7, clock: 1, state: 'holder' }))
  await holder.follow()
  let pings = 0
  holder.onPing(() => pings++)
  const impostors = await Promise.all(Array.from({ length: 20 }, () => connectRaw(there)))
  for (let clock = 2; clock < 100; clock++) {
    for (const impostor of impostors) impostor.send(presence({ clientId: 7, clock, state: 'impostor' }))
  }
  await Promise.all(impostors.map((impostor) => impostor.roundTrip()))
  await holder.roundTrip()
  expect(pings).toBeGreaterThan(0)
  expect(pings).toBeLessThan(500)
  const states = witness.all('presence').flatMap(({ entries }) => entries.filter(({ clientId }) => clientId === 7))
  expect(new Set(states.map(({ state }) => state))).toEqual(new Set(['holder']))
  for (const client of [holder, ...impostors]) client.cut()
  await bystanders.areUnharmed()
})

test('R25 a state that names __proto__ reaches the others as a name', async () => {
  const { attacker, bystanders, witness } = await attack()
  attacker.send(presence({ clientId: 7, clock: 1, state: JSON.parse('{"__proto__":{"polluted":true}}') }))
  attacker.send(step1())
  await witness.until('it is shown', () => witness.all('presence').some(({ entries }) => entries.some(isSeven)))
  expect({}).not.toHaveProperty('polluted')
  attacker.cut()
  await bystanders.areUnharmed()
})

function isSeven({ clientId }: PresenceEntry): boolean {
  return clientId === 7
}
