import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Change, type ConnectionFacts, createServer, type Hooks } from '../../server/src/index.ts'
import { edit, Writer } from '../support/edits.ts'
import { Gate } from '../support/gate.ts'
import { append, Calls, heard, textIn } from '../support/hook-calls.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { step2, update } from '../support/messages.ts'
import { connectRaw, type RawClient, store } from '../support/raw-client.ts'
import { stockClient } from '../support/stock-clients.ts'

const release = onTestFinished
const document = 'notes'

function never(): Promise<void> {
  return new Promise(() => undefined)
}

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
    // When the change is told depends on how long the client takes to leave.
    const others = calls.filter(([hook]) => hook !== 'change')
    expect(others.map(([hook]) => hook)).toEqual(['connect', 'disconnect', 'close'])
    expect(others.map(([, event]) => event)).toEqual([facts, facts, { name: document }])
    expect(others[1]?.[1]).toBe(others[0]?.[1])
    expect(calls.at(-1)?.[0]).toBe('close')
    expect(calls.length).toBe(4)
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
