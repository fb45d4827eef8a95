import { describe, expect, onTestFinished, test } from 'vitest'
import { startBesieged } from '../support/besieged.ts'
import { bytes } from '../support/bytes.ts'
import { edit } from '../support/edits.ts'
import { connectKeyed, type KeyedClient, stateless, token } from '../support/keyed-client.ts'
import { presence, step1, step2, update } from '../support/messages.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { freshCopy, textOf } from '../support/stock-clients.ts'
import { SECRET, token as signed } from '../support/tokens.ts'

const release = onTestFinished
/** Nobody is slowed down here, and all that may be said is passed on. */
const PROMPT = { maxBytesPerSecond: 2 ** 30, maxCpuMsPerSecond: 1000, statelessFrom: 'all' } as const

async function open(client: KeyedClient, key: string, valid = ''): Promise<void> {
  client.send(key, token(valid), step1())
  await client.message(key, 'step1')
  client.send(key, step2())
  await client.message(key, 'status')
}

/** Somebody who attacks, and somebody else, at another server where there is one. */
function twoOf(url: string, [other = url]: readonly string[]): Promise<[KeyedClient, KeyedClient]> {
  return Promise.all([connectKeyed(release, url), connectKeyed(release, other)])
}

/** Has somebody else edit, and looks that it is stored and told. */
function isServed(bystander: KeyedClient): Promise<void> {
  return isStored(bystander, 'notes')
}

async function isStored(client: KeyedClient, key: string): Promise<void> {
  const before = client.stored(key)
  client.send(key, update(edit('x').update))
  await client.until('it is told', () => client.stored(key) > before)
}

/** A message with some of its bytes changed, cut off or repeated. */
function mutated(message: Uint8Array, random: Random): Uint8Array {
  const changed = new Uint8Array(message)
  for (let times = random.below(4); times > 0; times--) changed[random.below(changed.length)] = random.below(256)
  const end = random.chance(0.3) ? random.below(changed.length + 1) : changed.length
  return random.chance(0.1) ? bytes(changed, changed) : changed.subarray(0, end)
}

test('R112 messages of which anything is changed harm nobody else', async () => {
  const { url, others, lines } = await startBesieged({ release, options: PROMPT })
  const random = new Random(7)
  const bystander = await connectKeyed(release, others[0] ?? url)
  await open(bystander, 'notes')
  const kinds = [
    token('letmein', '4.8.0'),
    step1(),
    step2(edit('a').update),
    update(edit('b').update),
    presence({ clientId: 9, clock: 3, state: { name: 'eve' } }),
    stateless('hello'),
    Uint8Array.of(3),
    Uint8Array.of(7),
    Uint8Array.of(8, 1),
  ]
  for (let attacks = 0; attacks < runs(30); attacks++) {
    const attacker = await connectKeyed(release, url)
    for (let sent = 0; sent < 20; sent++) {
      attacker.sendRaw(mutated(bytes(random.chance(0.5) ? 'notes' : 'other\0id', random.pick(kinds)), random))
    }
    // One that is refused is not read any more, and closed late.
    await isServed(bystander)
  }
  expect(lines.filter(({ message }) => message === 'closed a connection').length).toBeGreaterThan(runs(30) / 2)
  expect(lines.filter(({ level }) => level === 'error')).toEqual([])
})

test('R113 ten thousand documents on a socket are denied, but for as many as it may have', async () => {
  const { url, others, server } = await startBesieged({ release, options: { ...PROMPT, maxDocumentsPerSocket: 5 } })
  const [attacker, bystander] = await twoOf(url, others)
  await open(bystander, 'notes')
  for (let n = 0; n < 10_000; n++) attacker.send(`d${n}`, token(''), step1())
  await attacker.until('the last is denied', () => attacker.all('d9999', 'denied').length > 0)
  await isServed(bystander)
  // Those of the attacker, and that of the bystander where it is at the same server.
  expect(server.stats.documents).toBe(others.length > 0 ? 5 : 6)
})

test('R104 a flood of tokens that are not valid ends with few questions, and no answer before its time', async () => {
  let asked = 0
  const authenticate = ({ token: given }: { readonly token: string | undefined }) => {
    asked++
    return given === 'good' ? ({ access: 'write' } as const) : null
  }
  const { url, others } = await startBesieged({ release, options: PROMPT, authenticate })
  const [attacker, bystander] = await twoOf(url, others)
  await open(bystander, 'notes', 'good')
  for (let n = 0; n < 5_000; n++) attacker.send('notes', token(`wrong ${n}`))
  await attacker.message('notes', 'denied')
  await isServed(bystander)
  await attacker.roundTrip()
  expect(asked).toBeLessThan(100)
})

test('a document that is denied is told nothing of it, whatever is sent', async () => {
  const { url, others } = await startBesieged({ release, options: { ...PROMPT, authSecret: SECRET } })
  const valid = await signed({ coedit: { write: ['notes'] } })
  const [both, writer] = await twoOf(url, others)
  await open(writer, 'notes', valid)
  await open(both, 'notes', valid)
  both.send('secret', token(valid), step1(), Uint8Array.of(3), stateless('hello'), update(edit('forged').update))
  await both.message('secret', 'denied')
  both.send('secret', step2(edit('forged').update), presence({ clientId: 1, clock: 1, state: {} }), bytes(8, 1))
  await isServed(writer)
  await both.roundTrip()
  expect(both.types('secret')).toEqual(['denied'])
  const all = await signed({ coedit: { read: ['*'] } })
  const doc = await freshCopy({ release, url, document: 'secret', params: { token: all } })
  expect(textOf({ doc }).toString()).toBe('')
})

describe('R101 a key', () => {
  test.each([
    ['of a name that is not UTF-8', Uint8Array.of(4, 0xc3, 0x28, 0xff, 0xfe)],
    ['of half a surrogate', Uint8Array.of(3, 0xed, 0xa0, 0x80)],
    ['of an overlong zero', Uint8Array.of(2, 0xc0, 0x80)],
  ])('%s ends that socket alone, and opens nothing', async (_, key) => {
    const { url, others, storedNames } = await startBesieged({ release, options: PROMPT })
    const [attacker, bystander] = await twoOf(url, others)
    await open(bystander, 'notes')
    await open(attacker, 'notes')
    attacker.sendRaw(...[token(''), step1(), step2(edit('x').update)].map((message) => bytes(key, message)))
    expect((await attacker.closed).code).toBe(1008)
    await isServed(bystander)
    expect(await storedNames()).toEqual(['notes'])
  })

  test.each([
    ['a zero alone', '\0'],
    ['a zero before the name', '\0notes'],
    ['a control character', 'no\u0001tes'],
    ['a way out and a session', '../notes\0id'],
  ])('of %s is denied, and costs those on the same socket nothing', async (_, key) => {
    const { url, others, storedNames } = await startBesieged({ release, options: PROMPT })
    const [attacker, bystander] = await twoOf(url, others)
    await open(bystander, 'notes')
    await open(attacker, 'notes')
    attacker.send(key, token(''), step1(), step2(edit('x').update), Uint8Array.of(3), stateless('hello'))
    await attacker.message(key, 'denied')
    expect(attacker.types(key)).toEqual(['denied'])
    await isServed(attacker)
    await isServed(bystander)
    expect(await storedNames()).toEqual(['notes'])
  })

  test.each([
    ['several zeros', 'notes\0\0\0'],
    ['a session that is another name', 'notes\0other'],
    ['a session that is a way out', 'notes\0../../etc'],
  ])('with %s is a session of the document that stands before the first zero', async (_, key) => {
    const { url, others, storedNames } = await startBesieged({ release, options: PROMPT })
    const [attacker, bystander] = await twoOf(url, others)
    await open(bystander, 'notes')
    await open(attacker, key)
    const before = bystander.all('notes', 'update').length
    await isStored(attacker, key)
    await bystander.until('it is shown', () => bystander.all('notes', 'update').length > before)
    expect(await storedNames()).toEqual(['notes'])
  })

  test('a flood of sessions of one document is denied, but for as many as a socket may have', async () => {
    const { url, others, server } = await startBesieged({ release, options: { ...PROMPT, maxDocumentsPerSocket: 5 } })
    const [attacker, bystander] = await twoOf(url, others)
    await open(bystander, 'notes')
    for (let n = 0; n < 2_000; n++) attacker.send(`notes\0${n}`, token(''), step1())
    attacker.send(`notes\0${'x'.repeat(10_000)}`, token(''), step1())
    await attacker.until('the last is denied', () => attacker.all('notes\x001999', 'denied').length > 0)
    expect(attacker.messages.filter(({ type }) => type === 'authenticated')).toHaveLength(5)
    await isServed(bystander)
    expect(server.stats.documents).toBe(1)
  })
})

test('R106 acknowledgements that a client forges are those of nobody: what it is owed, and others are, stays so', async () => {
  const { url, others } = await startBesieged({ release, options: PROMPT })
  const [attacker, bystander] = await twoOf(url, others)
  await open(bystander, 'notes')
  await open(attacker, 'notes')
  const before = [attacker.stored('notes'), bystander.stored('notes')]
  const forged = [bytes(8, 1), bytes(8, 0), bytes(8), bytes(8, 2 ** 53 - 1), bytes(100, 7), bytes(8, 1, 'more')]
  for (let n = 0; n < 2_000; n++) attacker.send('notes', ...forged)
  attacker.send('other', ...forged)
  await attacker.roundTrip()
  await bystander.roundTrip()
  expect([attacker.stored('notes'), bystander.stored('notes')]).toEqual(before)
  await isServed(attacker)
  await isServed(bystander)
  expect(attacker.stored('notes')).toBe(before[0] + 1)
  expect(bystander.stored('notes')).toBe(before[1] + 1)
  expect(attacker.types('other')).toEqual([])
})
