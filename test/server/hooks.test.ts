import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type * as Y from 'yjs'
import { type Change, type ConnectionFacts, createServer, type Hooks } from '../../server/src/index.ts'
import { docOf } from '../support/editing.ts'
import { edit, Writer } from '../support/edits.ts'
import { Gate } from '../support/gate.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { step2, update } from '../support/messages.ts'
import { connectRaw, type RawClient, store } from '../support/raw-client.ts'
import { stockClient, syncedClient, textOf } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'

/** The calls of a hook so far, and waiting for further ones. */
class Calls<T> {
  readonly events: T[] = []

  readonly note = (event: T): void => {
    this.events.push(event)
  }

  /** Resolves with the `count`th call, counted from 1. */
  async reach(count: number): Promise<T> {
    for (;;) {
      const event = this.events[count - 1]
      if (event !== undefined) return event
      await nextTurn()
    }
  }
}

function never(): Promise<void> {
  return new Promise(() => undefined)
}

function append(text: string): (doc: Y.Doc) => void {
  return (doc) => doc.getText('text').insert(doc.getText('text').length, text)
}

function textIn(doc: Y.Doc): string {
  return doc.getText('text').toString()
}

/** What a hook that heard this knows of the document. */
function heard(changes: readonly Change[]): string {
  return textIn(docOf(...changes.flatMap(({ updates }) => updates)))
}

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
  const options = { changeQuietMs: QUIET_MS, changeMaxWaitMs: LONGEST_MS }

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

describe('connect, disconnect and close', () => {
  test('say who comes and goes, and when the document leaves memory', async () => {
    const calls: [string, unknown][] = []
    const [came, gone, closed] = [new Gate(), new Gate(), new Gate()]
    const hooks: Hooks = {
      connect: (facts) => {
        calls.push(['connect', facts])
        came.open()
      },
      disconnect: (facts) => {
        calls.push(['disconnect', facts])
        gone.open()
      },
      change: ({ seq }) => {
        calls.push(['change', seq])
      },
      close: (event) => {
        calls.push(['close', event])
        closed.open()
      },
    }
    const { url } = await startInProcess({ release, hooks, options: { changeQuietMs: 20 } })
    const client = await connectRaw({ release, url, document, query: '?access=write' })
    await came.opened
    client.send(step2(edit('a').update))
    await client.roundTrip()
    await client.close()
    await Promise.all([gone.opened, closed.opened])
    const facts = { name: document, user: undefined, access: 'write' }
    expect(calls.map(([hook]) => hook)).toEqual(['connect', 'disconnect', 'change', 'close'])
    expect(calls[0]?.[1]).toEqual(facts)
    expect(calls[1]?.[1]).toBe(calls[0]?.[1])
    expect(calls[3]?.[1]).toEqual({ name: document })
  })

  test('disconnect waits for connect, however slow that is', async () => {
    const gate = new Gate()
    const calls: string[] = []
    const gone = new Gate()
    const hooks: Hooks = {
      connect: async () => {
        await gate.opened
        calls.push('connected')
      },
      disconnect: () => {
        calls.push('disconnected')
        gone.open()
      },
    }
    const { url, server } = await startInProcess({ release, hooks })
    const client = await connectRaw({ release, url, document })
    await client.follow()
    await client.close()
    while (server.stats.documents > 0) await nextTurn()
    gate.open()
    await gone.opened
    expect(calls).toEqual(['connected', 'disconnected'])
  })

  test('past maxHookCalls under way further calls are dropped and counted, and said once', async () => {
    const left = new Calls<ConnectionFacts>()
    const hooks: Hooks = { connect: never, disconnect: left.note }
    const { url, server, lines } = await startInProcess({ release, hooks, options: { maxHookCalls: 2 } })
    const clients: RawClient[] = []
    for (let client = 0; client < 5; client++) {
      clients.push(await connectRaw({ release, url, document }))
      await clients.at(-1)?.follow()
    }
    for (const client of clients) await client.close()
    while (server.stats.documents > 0) await nextTurn()
    expect(server.stats.hooks.connect).toMatchObject({ calls: 2, dropped: 3 })
    expect(left.events).toEqual([])
    expect(lines.filter(({ level }) => level === 'warn').length).toBe(1)
  })
})

describe('a hook that fails', () => {
  const broken: Hooks = {
    connect: () => {
      throw new Error('connect')
    },
    disconnect: async () => {
      throw new Error('disconnect')
    },
    commit: () => {
      throw new Error('commit')
    },
    change: async () => {
      throw new Error('change')
    },
    close: () => {
      throw new Error('close')
    },
  }

  test('is logged and counted, and nobody notices', async () => {
    const { url, server, lines } = await startInProcess({ release, hooks: broken, options: { changeQuietMs: 0 } })
    const client = await connectRaw({ release, url, document, protocols: ['coedit.v1'] })
    const writer = new Writer()
    await client.follow(step2(writer.insert('a').update), update(writer.insert('b').update))
    await client.until('all is acknowledged', () => client.acknowledged === 2)
    await client.close()
    while (server.stats.documents > 0) await nextTurn()
    await server.close()
    const { hooks } = server.stats
    const failed = Object.values(hooks).reduce((sum, { failures }) => sum + failures, 0)
    for (const hook of ['connect', 'disconnect', 'commit', 'change', 'close'] as const) {
      expect([hook, hooks[hook].failures]).toEqual([hook, hooks[hook].calls])
      expect([hook, hooks[hook].failures > 0]).toEqual([hook, true])
    }
    expect(lines.filter(({ message }) => message === 'a hook failed').length).toBe(failed)
  })

  test('by never ending holds up nothing, and is called again after hookTimeoutMs with all it has missed', async () => {
    const clock = new ManualClock()
    const end = new Gate()
    const commits = new Calls<Change>()
    const commit = (change: Change) => {
      commits.note(change)
      return change.name === document ? end.opened : undefined
    }
    const options = { hookTimeoutMs: 600_000 }
    const { url, server } = await startInProcess({ release, clock, hooks: { commit }, options })
    const edits = (async () => {
      for (const text of ['a', 'b', 'c']) await server.edit(document, append(text))
      await server.edit('other', append('z'))
    })()
    for (let isDone = false; !isDone; ) {
      clock.advance(10)
      isDone = await Promise.race([edits.then(() => true), nextTurn(false)])
    }
    await commits.reach(2)
    expect(commits.events.map(({ name, seq }) => [name, seq])).toEqual([
      [document, 1],
      ['other', 1],
    ])
    const reader = await connectRaw({ release, url, document })
    await reader.follow()
    expect(textIn(reader.doc)).toBe('abc')

    clock.advance(600_000)
    expect(await commits.reach(3)).toMatchObject({ name: document, seq: 3 })
    expect(server.stats.hooks.commit.timeouts).toBe(1)
    expect(heard(commits.events.filter(({ name }) => name === document))).toBe('abc')
    end.open()
  })

  test('by never ending does not keep the server from closing, nor the last edit from being stored', async () => {
    const hooks: Hooks = { commit: never, change: never, connect: never, disconnect: never, close: never }
    const { url, server, data } = await startInProcess({ release, hooks })
    await store({ release, url, document }, edit('kept').update)
    await server.close()
    const again = await startInProcess({ release, options: { data } })
    expect(textIn(await again.server.read(document))).toBe('kept')
  })

  test('after it was given up, too: nobody else hears of it', async () => {
    const gate = new Gate()
    const clock = new ManualClock()
    const late = async () => {
      await gate.opened
      throw new Error('too late')
    }
    const { url, server } = await startInProcess({ release, clock, hooks: { connect: late } })
    const client = stockClient({ release, url, document })
    while (server.stats.hooks.connect.calls === 0) await nextTurn()
    clock.advance(10_000)
    while (server.stats.hooks.connect.timeouts === 0) await nextTurn()
    gate.open()
    await client.synced()
    expect(server.stats.hooks.connect).toEqual({ calls: 1, failures: 0, timeouts: 1, dropped: 0 })
  })
})

describe('createServer', () => {
  test.for([{ conect: () => undefined }, { connect: 'yes' }])(
    'refuses hooks that would never be called: %o',
    (hooks) => {
      expect(() => Reflect.apply(createServer, undefined, [{}, { hooks }])).toThrow(
        expect.objectContaining({ code: 'OPTION_INVALID' }),
      )
    },
  )
})
