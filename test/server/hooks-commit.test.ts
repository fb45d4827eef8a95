import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Change, Hooks } from '../../server/src/index.ts'
import { edit } from '../support/edits.ts'
import { Gate } from '../support/gate.ts'
import { append, Calls, heard, textIn } from '../support/hook-calls.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { connectRaw } from '../support/raw-client.ts'
import { syncedClient, textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'

describe('commit', () => {
  test('is called for each commit with its number and its updates, in order', async () => {
    const commits = new Calls<Change>()
    const { server, data } = await startInProcess({ release, hooks: { commit: commits.note } })
    for (const text of ['a', 'b', 'c']) await server.edit(document, append(text))
    await commits.reach(3)
    expect(commits.events.map(({ name, seq }) => [name, seq])).toEqual([1, 2, 3].map((seq) => [document, seq]))
    expect([1, 2, 3].map((count) => heard(commits.events.slice(0, count)))).toEqual(['a', 'ab', 'abc'])

    await server.close()
    const later = new Calls<Change>()
    const again = await startInProcess({ release, options: { data }, hooks: { commit: later.note } })
    await again.server.edit(document, append('d'))
    expect(await later.reach(1)).toMatchObject({ seq: 4 })
  })

  test('may do with its updates what it likes', async () => {
    const commits = new Calls<Change>()
    const commit = (change: Change) => {
      for (const bytes of change.updates) bytes.fill(0)
      commits.note(change)
    }
    const { server, url } = await startInProcess({ release, hooks: { commit } })
    await connectRaw({ release, url, document })
    await server.edit(document, append('kept'))
    await commits.reach(1)
    expect(textIn(await server.read(document))).toBe('kept')
  })

  test('is called for edits of clients, and for the seed', async () => {
    const commits = new Calls<Change>()
    const hooks: Hooks = { load: () => edit('seed ').update, commit: commits.note }
    const { url } = await startInProcess({ release, hooks })
    const client = await syncedClient({ release, url, document })
    textOf(client).insert(5, 'and client')
    await commits.reach(2)
    expect(heard(commits.events)).toBe('seed and client')
  })

  test('is called when what it is told of is durable', async () => {
    const clock = new ManualClock()
    const commits = new Calls<Change>()
    const { server } = await startInProcess({ release, clock, hooks: { commit: commits.note } })
    await server.edit('first', append('x'))
    await commits.reach(1)
    const edited = server.edit(document, append('y'))
    for (let turn = 0; turn < 50; turn++) await nextTurn()
    expect(commits.events.length).toBe(1)
    clock.advance(10)
    await edited
    expect(await (await commits.reach(2)).read().then(textIn)).toBe('y')
  })

  test('is called once at a time for a document: what is committed meanwhile comes together in the next call', async () => {
    const gate = new Gate()
    const commits = new Calls<Change>()
    const commit = async (change: Change) => {
      commits.note(change)
      if (commits.events.length === 1) await gate.opened
    }
    const { server } = await startInProcess({ release, hooks: { commit } })
    for (const text of ['a', 'b', 'c', 'd']) await server.edit(document, append(text))
    expect(commits.events.map(({ seq }) => seq)).toEqual([1])
    gate.open()
    await commits.reach(2)
    expect(commits.events.map(({ seq }) => seq)).toEqual([1, 4])
    expect(heard(commits.events)).toBe('abcd')
  })

  test('misses nothing when the document is compacted while it lags behind', async () => {
    const gate = new Gate()
    const commits = new Calls<Change>()
    const commit = async (change: Change) => {
      commits.note(change)
      if (commits.events.length === 1) await gate.opened
    }
    const options = { compactMaxEntries: 2, compactMinBytes: 0, compactIntervalMs: 0 }
    const { server } = await startInProcess({ release, options, hooks: { commit } })
    for (let edits = 0; edits < 60; edits++) await server.edit(document, append('x'))
    gate.open()
    await commits.reach(2)
    expect(heard(commits.events)).toBe('x'.repeat(60))
  })

  test('is not called for what it writes itself, so that a hook which edits comes to an end', async () => {
    const commits = new Calls<Change>()
    const commit = async (change: Change) => {
      commits.note(change)
      await change.edit(append('!'))
    }
    const { server } = await startInProcess({ release, hooks: { commit } })
    for (const text of ['a', 'b']) await server.edit(document, append(text))
    await commits.reach(2)
    await server.edit('last', append('z'))
    await commits.reach(3)
    await server.close()
    expect(commits.events.map(({ name }) => name)).toEqual([document, document, 'last'])
  })

  test('may edit by server.edit as well: it is told of that, and comes to an end when nothing is left to change', async () => {
    const commits = new Calls<Change>()
    const hooks: Hooks = {
      commit: async (change) => {
        commits.note(change)
        await server.edit(change.name, (doc) => {
          const title = doc.getMap('map')
          if (title.get('title') !== textIn(doc)) title.set('title', textIn(doc))
        })
      },
    }
    const { server } = await startInProcess({ release, hooks })
    await server.edit(document, append('a'))
    await commits.reach(2)
    while (server.stats.documents > 0) await nextTurn()
    expect(commits.events.length).toBe(2)
    expect((await server.read(document)).getMap('map').get('title')).toBe('a')
  })
})

describe('change', () => {
  const QUIET_MS = 1000
  const LONGEST_MS = 5000
  const options = { changeQuietMs: QUIET_MS, changeMaxWaitMs: LONGEST_MS, busyShare: 1 }

  /** A writer whose edits are committed while the clock stands still. */
  async function start() {
    const clock = new ManualClock()
    const [commits, changes] = [new Calls<Change>(), new Calls<Change>()]
    const hooks: Hooks = { commit: commits.note, change: changes.note }
    const { server, url } = await startInProcess({ release, clock, hooks, options })
    const write = async (text: string) => {
      const edited = server.edit(document, append(text))
      await commits.reach(commits.events.length + 1)
      await edited
    }
    /** Lets time pass, and all that comes of it happen. */
    const pass = async (ms: number) => {
      clock.advance(ms)
      for (let turn = 0; turn < 20; turn++) await nextTurn()
    }
    return { server, url, changes, write, pass }
  }

  test('is called once when nobody has written for changeQuietMs', async () => {
    const { changes, write, pass } = await start()
    for (const text of ['a', 'b', 'c']) {
      await write(text)
      await pass(QUIET_MS - 1)
    }
    expect(changes.events).toEqual([])
    await pass(1)
    const { seq, read } = await changes.reach(1)
    expect(seq).toBe(3)
    expect(textIn(await read())).toBe('abc')
    expect(heard(changes.events)).toBe('abc')
    await pass(LONGEST_MS)
    expect(changes.events.length).toBe(1)
  })

  test('is called every changeMaxWaitMs while somebody writes all the time', async () => {
    const { changes, write, pass } = await start()
    for (let time = 0; time < 2 * LONGEST_MS; time += QUIET_MS / 2) {
      await write('x')
      await pass(QUIET_MS / 2)
    }
    expect(changes.events.map(({ seq }) => seq)).toEqual([10, 20])
  })

  test('keeps the document in memory until then', async () => {
    const { changes, write, pass, server } = await start()
    await write('a')
    expect(server.stats.documents).toBe(1)
    await pass(QUIET_MS)
    await changes.reach(1)
    while (server.stats.documents > 0) await nextTurn()
  })

  test('is called at once when the server closes, and can still read and edit the document', async () => {
    const seen: string[] = []
    const change = async ({ read, edit }: Change) => {
      await edit(append(' last'))
      seen.push(textIn(await read()))
    }
    const { server, data } = await startInProcess({ release, hooks: { change } })
    await server.edit(document, append('words'))
    await server.close()
    expect(seen).toEqual(['words last'])
    const again = await startInProcess({ release, options: { data } })
    expect(textIn(await again.server.read(document))).toBe('words last')
  })
})
