import { describe, expect, onTestFinished, test } from 'vitest'
import { bytes } from '../support/bytes.ts'
import { edit, Writer } from '../support/edits.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { step2, update } from '../support/messages.ts'
import { connectRaw, type RawClient, store } from '../support/raw-client.ts'

const release = onTestFinished
const document = 'notes'
const protocols = ['coedit.v1']

async function start(clock?: ManualClock) {
  const { url } = await startInProcess({ release, ...(clock && { clock }) })
  const there = { release, url, document }
  return { there, join: () => connectRaw({ ...there, protocols }) }
}

function counts(client: RawClient): number[] {
  return client.all('acknowledgement').map(({ count }) => count)
}

function acknowledged(client: RawClient, count: number): Promise<void> {
  return client.until(`${count} messages are acknowledged`, () => client.acknowledged === count)
}

test('R17 Step2 and Update messages are counted, others are not, and the count only grows', async () => {
  const { join } = await start()
  const client = await join()
  expect(client.protocol).toBe('coedit.v1')
  const writer = new Writer()
  await client.follow(step2())
  for (let edits = 1; edits <= 50; edits++) {
    client.send(update(writer.insert('x').update), bytes(3), bytes(42))
    if (edits % 10 === 0) await acknowledged(client, 1 + edits)
  }
  expect(counts(client)).toEqual([...new Set(counts(client))].sort((a, b) => a - b))
})

test('R17 what is acknowledged is durable: it is there when the server has closed and opened again', async () => {
  const { url, server, data } = await startInProcess({ release })
  await store({ release, url, document }, edit('kept').update)
  await server.close()
  const again = await startInProcess({ release, options: { data } })
  const reader = await connectRaw({ release, url: again.url, document })
  await reader.follow()
  expect(reader.doc.getText('text').toString()).toBe('kept')
})

test('R18 nothing is acknowledged before the first Step2 is durable', async () => {
  const { there, join } = await start()
  const reader = await connectRaw(there)
  await reader.follow()
  const client = await join()
  client.send(update(edit('a').update), update(edit('b').update))
  await reader.until('both are durable', () => reader.doc.store.clients.size === 2)
  await client.roundTrip()
  expect(counts(client)).toEqual([])
  client.send(step2())
  await acknowledged(client, 3)
  expect(counts(client)).toEqual([3])
})

test('R18 an Update that came before the first Step2 and builds upon it counts when that Step2 is durable', async () => {
  const clock = new ManualClock()
  const { there, join } = await start(clock)
  const client = await join()
  await nothingMoreBecomesDurable(there)
  const writer = new Writer()
  writer.insert('offline ')
  client.send(update(writer.insert('online').update), step2(writer.everything))
  await client.roundTrip()
  expect(counts(client)).toEqual([])
  clock.advance(10)
  await acknowledged(client, 2)
})

/** As long as the clock stands still: commits keep a distance. */
function nothingMoreBecomesDurable(there: Parameters<typeof store>[0]): Promise<void> {
  return store({ ...there, document: 'first' }, edit('x').update)
}

describe('R19', () => {
  test('R19 what repeats an edit that another connection has just sent counts when that one is durable', async () => {
    const clock = new ManualClock()
    const { there, join } = await start(clock)
    const [a, b] = [await join(), await join()]
    await Promise.all([a.follow(step2()), b.follow(step2())])
    await Promise.all([acknowledged(a, 1), acknowledged(b, 1)])
    await nothingMoreBecomesDurable(there)

    const made = update(edit('hello').update)
    a.send(made)
    await a.roundTrip()
    b.send(made)
    await b.roundTrip()
    expect([counts(a), counts(b)]).toEqual([[1], [1]])
    clock.advance(10)
    await Promise.all([acknowledged(a, 2), acknowledged(b, 2)])
  })

  test('R19 what repeats something durable counts at once', async () => {
    const { there, join } = await start()
    const { update: made } = edit('hello')
    await store(there, made)
    const client = await join()
    client.send(step2(made), update(made), update(made))
    await acknowledged(client, 3)
  })
})

describe('R20', () => {
  test('R20 after an Update of which something is left over nothing is acknowledged until a Step2', async () => {
    const { there, join } = await start()
    const reader = await connectRaw(there)
    await reader.follow()
    const [a, b] = [new Writer(), new Writer()]
    const hole = b.learn(a.insert('before ')).insert('after')
    const client = await join()
    await client.follow(step2())
    await acknowledged(client, 1)

    client.send(update(hole.update), update(edit('whole').update))
    await reader.message('update')
    await client.roundTrip()
    expect(client.acknowledged).toBe(1)
    client.send(step2(b.everything))
    await acknowledged(client, 4)
  })

  test('R20 what was left over counts when the Step2 that brings it is durable', async () => {
    const clock = new ManualClock()
    const { there, join } = await start(clock)
    const client = await join()
    await client.follow(step2())
    await acknowledged(client, 1)
    await nothingMoreBecomesDurable(there)
    const [a, b] = [new Writer(), new Writer()]
    const hole = b.learn(a.insert('before ')).insert('after')
    client.send(update(hole.update), step2(b.everything))
    await client.roundTrip()
    expect(counts(client)).toEqual([1])
    clock.advance(10)
    await acknowledged(client, 3)
  })

  test('R20 the others are acknowledged meanwhile', async () => {
    const { there, join } = await start()
    const client = await join()
    await client.follow(step2(), update(new Writer().learn(edit('?')).insert('hole').update))
    await store(there, edit('whole').update)
    await client.roundTrip()
    expect(client.acknowledged).toBe(1)
  })
})

test.each([[[]], [['coedit']]])(
  'R21 a connection that offered %j is never sent an acknowledgement',
  async (offered) => {
    const { there } = await start()
    const client = await connectRaw({ ...there, protocols: offered, query: '?echo=1' })
    await client.follow(step2(), update(edit('hello').update))
    await client.message('update')
    await client.roundTrip()
    expect(client.types.toSorted()).toEqual(['step1', 'step2', 'update'])
  },
)
