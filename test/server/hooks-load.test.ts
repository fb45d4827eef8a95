import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import type { Hooks, LoadEvent, Seed } from '../../server/src/index.ts'
import { edit, Writer } from '../support/edits.ts'
import { Gate } from '../support/gate.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { connectRaw, store } from '../support/raw-client.ts'
import { openSeedingServer } from '../support/seeding-process.ts'
import { allRead, freshCopy, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const release = onTestFinished
const document = 'notes'

/** A hook that gives this, and what it was asked for. */
function loading(answer: (event: LoadEvent) => Seed | undefined | Promise<Seed | undefined>) {
  const asked: string[] = []
  const hooks: Hooks = {
    load: (event) => {
      asked.push(event.name)
      return answer(event)
    },
  }
  return { hooks, asked }
}

function seedText(text: string): (doc: Y.Doc) => void {
  return (doc) => doc.getText('text').insert(0, text)
}

function textIn(doc: Y.Doc): string {
  return doc.getText('text').toString()
}

describe('a document that was never written starts with', () => {
  test.for<[string, Seed]>([
    ['an update', edit('seeded').update],
    ['what a function writes', seedText('seeded')],
  ])('%s, for all who come at once, and it is asked once', async ([, seed]) => {
    const { hooks, asked } = loading(() => seed)
    const { url, server } = await startInProcess({ release, hooks })
    const clients = [1, 2, 3].map(() => stockClient({ release, url, document }))
    await allRead(clients, 'seeded')
    expect(textIn(await server.read(document))).toBe('seeded')
    expect(asked).toEqual([document])
  })

  test('it, whether a client opens it or code around the server', async () => {
    const { hooks } = loading(() => seedText('seeded'))
    const { server } = await startInProcess({ release, hooks })
    await server.edit(document, (doc) => doc.getText('text').insert(6, ' and edited'))
    expect(textIn(await server.read(document))).toBe('seeded and edited')
  })

  test('nothing where the hook gives nothing', async () => {
    const { hooks } = loading(() => undefined)
    const { url, server } = await startInProcess({ release, hooks })
    expect((await freshCopy({ release, url, document })).store.clients.size).toBe(0)
    await expect(server.read(document)).rejects.toMatchObject({ code: 'DOCUMENT_MISSING' })
  })

  test('a large seed in one commit, in entries of the size of a chunk', async () => {
    const { hooks } = loading(() => (doc) => {
      for (let word = 0; word < 2000; word++) doc.getText('text').insert(0, `word ${word} `)
    })
    const { url } = await startInProcess({ release, hooks, options: { chunkBytes: 1024 } })
    const client = await connectRaw({ release, url, document })
    await client.follow()
    expect(textIn(client.doc).endsWith('word 0 ')).toBe(true)
    expect(client.all('update').length).toBeGreaterThan(10)
  })
})

test('R4 the first that a client hears is that the seed is there', async () => {
  const gate = new Gate()
  const { hooks, asked } = loading(async () => {
    await gate.opened
    return seedText('seeded')
  })
  const { url } = await startInProcess({ release, hooks })
  const client = await connectRaw({ release, url, document })
  while (asked.length === 0) await nextTurn()
  gate.open()
  await client.follow()
  const first = await client.message('step1')
  expect(client.messages[0]).toBe(first)
  expect([...Y.decodeStateVector(first.stateVector).values()]).toEqual(['seeded'.length])
  expect(textIn(client.doc)).toBe('seeded')
})

test('a document that was written is not asked for: in memory, from the disk, or after a restart', async () => {
  const { hooks, asked } = loading(() => seedText('seeded'))
  const { url, server, data } = await startInProcess({ release, hooks })
  await store({ release, url, document }, edit('!').update)
  while (server.stats.documents > 0) await nextTurn()
  await freshCopy({ release, url, document })
  await server.close()
  const again = await startInProcess({ release, hooks, options: { data } })
  const written = textIn(await freshCopy({ release, url: again.url, document }))
  expect([...written].sort().join('')).toBe([...'seeded!'].sort().join(''))
  expect(asked).toEqual([document])
})

test('killed at any moment around the commit, the seed is there once, whole, for who comes next', async () => {
  const { hooks } = loading(() => seedText('seeded'))
  for (const turns of [0, 1, 4]) {
    const data = await temporaryDirectory(release)
    await openSeedingServer({ release, data, document, text: 'seeded', killAfterTurns: turns })
    const { url, server } = await startInProcess({ release, hooks, options: { data } })
    expect([turns, textIn(await freshCopy({ release, url, document }))]).toEqual([turns, 'seeded'])
    await server.close()
  }
})

describe('a hook that fails', () => {
  test.for<[string, () => Seed | Promise<Seed>]>([
    [
      'by a throw',
      () => {
        throw new Error('no database')
      },
    ],
    ['by a rejection', () => Promise.reject(new Error('no database'))],
    ['by a malformed update', () => Uint8Array.of(1, 2, 3)],
    ['by an update with a hole', () => hole()],
    [
      'by a function that throws',
      () => () => {
        throw new Error('no template')
      },
    ],
    [
      'by a function that returns a promise',
      () => async () => {
        throw new Error('too late')
      },
    ],
  ])('%s shows nobody an empty document: clients come back until it gives the seed', async ([, fail]) => {
    let isBroken = true
    const { hooks } = loading(() => (isBroken ? fail() : seedText('seeded')))
    const { url, server, lines } = await startInProcess({ release, hooks })
    const raw = await connectRaw({ release, url, document })
    expect(await raw.closed).toMatchObject({ code: 1011 })
    expect(raw.messages).toEqual([])
    await expect(server.edit(document, () => undefined)).rejects.toMatchObject({ code: 'HOOK_FAILED' })
    const { failures } = server.stats.hooks.load
    expect(failures).toBeGreaterThanOrEqual(2)
    expect(lines.filter(({ message }) => message === 'a hook failed').length).toBe(failures)

    const client = stockClient({ release, url, document })
    await client.lost()
    isBroken = false
    await allRead([client], 'seeded')
  })

  function hole(): Uint8Array {
    const [a, b] = [new Writer(), new Writer()]
    return b.learn(a.insert('before ')).insert('after').update
  }

  test('by never answering is given up after hookTimeoutMs, and holds up no other document meanwhile', async () => {
    const clock = new ManualClock()
    const signals: AbortSignal[] = []
    const { hooks } = loading(({ name, signal }) => {
      if (name !== document) return undefined
      signals.push(signal)
      return new Promise(() => undefined)
    })
    const { url, server } = await startInProcess({ release, hooks, clock, options: { hookTimeoutMs: 5000 } })
    const stuck = await connectRaw({ release, url, document })
    while (signals.length === 0) await nextTurn()

    const other = await syncedClient({ release, url, document: 'other' })
    textOf(other).insert(0, 'goes on')
    await allRead([await syncedClient({ release, url, document: 'other' })], 'goes on')

    clock.advance(4999)
    expect(signals[0]?.aborted).toBe(false)
    clock.advance(1)
    await clock.hasTimerOf(100)
    clock.advance(100)
    expect(await stuck.closed).toMatchObject({ code: 1011 })
    expect(signals[0]?.aborted).toBe(true)
    expect(server.stats.hooks.load).toMatchObject({ timeouts: 1, failures: 0 })
  })

  test('by never answering does not keep the server from closing', async () => {
    const { hooks, asked } = loading(() => new Promise(() => undefined))
    const { url, server } = await startInProcess({ release, hooks })
    await connectRaw({ release, url, document })
    while (asked.length === 0) await nextTurn()
    await server.close()
    expect(server.stats.hooks.load).toMatchObject({ calls: 1, timeouts: 1 })
  })
})
