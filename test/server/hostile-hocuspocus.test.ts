import { expect, onTestFinished, test } from 'vitest'
import { bytes } from '../support/bytes.ts'
import { edit } from '../support/edits.ts'
import { startInProcess } from '../support/in-process-server.ts'
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

/** Has somebody else edit, and looks that it is stored and told. */
async function isServed(bystander: KeyedClient): Promise<void> {
  const before = bystander.stored('notes')
  bystander.send('notes', update(edit('x').update))
  await bystander.until('it is told', () => bystander.stored('notes') > before)
}

/** A message with some of its bytes changed, cut off or repeated. */
function mutated(message: Uint8Array, random: Random): Uint8Array {
  const changed = new Uint8Array(message)
  for (let times = random.below(4); times > 0; times--) changed[random.below(changed.length)] = random.below(256)
  const end = random.chance(0.3) ? random.below(changed.length + 1) : changed.length
  return random.chance(0.1) ? bytes(changed, changed) : changed.subarray(0, end)
}

test('R112 messages of which anything is changed harm nobody else', async () => {
  const { url, lines } = await startInProcess({ release, options: PROMPT })
  const random = new Random(7)
  const bystander = await connectKeyed(release, url)
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
  const { url, server } = await startInProcess({ release, options: { ...PROMPT, maxDocumentsPerSocket: 5 } })
  const [attacker, bystander] = [await connectKeyed(release, url), await connectKeyed(release, url)]
  await open(bystander, 'notes')
  for (let n = 0; n < 10_000; n++) attacker.send(`d${n}`, token(''), step1())
  await attacker.until('the last is denied', () => attacker.all('d9999', 'denied').length > 0)
  await isServed(bystander)
  expect(server.stats.documents).toBe(6)
})

test('R104 a flood of tokens that are not valid ends with few questions, and no answer before its time', async () => {
  let asked = 0
  const authenticate = ({ token: given }: { readonly token: string | undefined }) => {
    asked++
    return given === 'good' ? ({ access: 'write' } as const) : null
  }
  const { url } = await startInProcess({ release, options: PROMPT, authenticate })
  const [attacker, bystander] = [await connectKeyed(release, url), await connectKeyed(release, url)]
  await open(bystander, 'notes', 'good')
  for (let n = 0; n < 5_000; n++) attacker.send('notes', token(`wrong ${n}`))
  await attacker.message('notes', 'denied')
  await isServed(bystander)
  await attacker.roundTrip()
  expect(asked).toBeLessThan(100)
})

test('a document that is denied is told nothing of it, whatever is sent', async () => {
  const { url } = await startInProcess({ release, options: { ...PROMPT, authSecret: SECRET } })
  const valid = await signed({ coedit: { write: ['notes'] } })
  const [both, writer] = [await connectKeyed(release, url), await connectKeyed(release, url)]
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
