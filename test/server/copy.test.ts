import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { ServerOptions } from '../../server/src/index.ts'
import { KnownState, mergeEntries, scanUpdate, trimEntry } from '../../server/src/protocol/update/update.ts'
import { LevelStorage } from '../../server/src/storage/level/level-storage.ts'
import { PostgresStorage } from '../../server/src/storage/postgres/postgres-storage.ts'
import type { Storage } from '../../server/src/storage/storage.ts'
import { afterTests } from '../support/after-tests.ts'
import { documentsApi } from '../support/documents-api.ts'
import { docOf } from '../support/editing.ts'
import { Writer } from '../support/edits.ts'
import { readEvents, type ServerEvent } from '../support/event-stream.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { LeapingClock } from '../support/leaping-clock.ts'
import { pathOf } from '../support/papers.ts'
import { findPostgres, NO_POSTGRES, type PostgresServer, startPostgres } from '../support/postgres.ts'
import { type Exit, runCoedit, startServer } from '../support/process.ts'
import { Random } from '../support/random.ts'
import { cases } from '../support/runs.ts'
import { allRead, freshCopy, syncedClient, textOf } from '../support/stock-clients.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { SECRET, token } from '../support/tokens.ts'
import { Typist } from '../support/typist.ts'

const release = onTestFinished
/** Small limits, so that documents have snapshots of several chunks and a log behind them. */
const COMPACTING: ServerOptions = { compactMaxEntries: 10, compactMinBytes: 0, compactIntervalMs: 0, chunkBytes: 2048 }
const MiB = 1024 * 1024
const NAMES = ['notes', 'été/1 😀', '100%']

if (findPostgres() === undefined) test('coedit copy', ({ skip }) => skip(NO_POSTGRES))
else withPostgres(await startPostgres(afterTests()))

/** A directory or the URL of a database, and what opens it. */
type Kind = 'a directory' | 'PostgreSQL'

function withPostgres(postgres: PostgresServer): void {
  const engineOf = (place: string): Storage =>
    place.startsWith('postgres:') ? new PostgresStorage({ url: place }) : new LevelStorage({ directory: place })

  const use = async <T>(place: string, work: (storage: Storage) => Promise<T>): Promise<T> => {
    const storage = engineOf(place)
    await storage.open()
    try {
      return await work(storage)
    } finally {
      await storage.close()
    }
  }

  /** Somewhere without a document. */
  const emptyPlace = async (kind: Kind): Promise<string> => {
    if (kind === 'a directory') return join(await temporaryDirectory(release), 'data')
    const url = await postgres.borrowDatabase(release)
    // Who opens it makes the schema.
    await use(url, () => Promise.resolve())
    return url
  }

  const optionsFor = (place: string): ServerOptions =>
    place.startsWith('postgres:') ? { database: place } : { data: place }

  /** Has people type into some documents, and stops the server. Resolves with what the documents hold. */
  const fill = async (place: string): Promise<ReadonlyMap<string, string>> => {
    const clock = new LeapingClock()
    const options = { ...COMPACTING, ...optionsFor(place) }
    const { url, server } = await startInProcess({ release, clock, options })
    const texts = new Map<string, string>()
    for (const [seed, document] of NAMES.entries()) {
      const writer = await syncedClient({ release, url, document })
      const typist = new Typist(document, writer.doc, new Random(seed))
      const reader = await syncedClient({ release, url, document })
      const isRead = () => allRead([reader], textOf(writer).toString())
      for (let edit = 0; edit < 60; edit++) {
        typist.type()
        if (edit % 2 === 0) await isRead()
      }
      await isRead()
      // A document is compacted as it leaves memory; what comes then is the log behind its snapshot.
      await Promise.all([writer.leave(), reader.leave()])
      // Where other servers may have it, a compaction gives them seconds. An answer of the database takes fewer turns.
      for (; server.stats.documents > 0; await nextTurn()) clock.leap(1)
      reader.provider.connect()
      writer.provider.connect()
      textOf(writer).insert(0, `the text of ${document}`)
      await isRead()
      texts.set(document, textOf(reader).toString())
      await Promise.all([writer.leave(), reader.leave()])
    }
    await server.revoke({ user: 'ada' })
    await server.revoke({ tokenId: 'one' })
    await server.close()
    await use(place, (storage) => storage.webhooks.storeWebhook({ id: 'a', text: '{"of":"later"}' }))
    return texts
  }

  /** The merged bytes of all documents, by name. */
  const contentsOf = (place: string): Promise<Record<string, Buffer>> =>
    use(place, async (storage) => {
      const contents: Record<string, Buffer> = {}
      for (const name of await storage.list('', undefined, 1_000)) {
        const { snapshot, tail } = await storage.load(name)
        const known = new KnownState()
        for (const chunk of snapshot?.chunks ?? []) known.absorb(scanUpdate(chunk))
        const trimmed = tail.map(({ update }) => trimEntry(update, known)).filter(({ length }) => length > 2)
        contents[name] = Buffer.from(mergeEntries([...(snapshot?.chunks ?? []), ...trimmed]))
      }
      return contents
    })

  const copy = (from: string, to: string, ...flags: string[]): Promise<Exit> =>
    runCoedit(release, ['copy', '--from', from, '--to', to, '--log-level', 'silent', ...flags])

  const otherKind: [Kind, Kind][] = [
    ['a directory', 'PostgreSQL'],
    ['PostgreSQL', 'a directory'],
  ]
  const sameKind: [Kind, Kind][] = [
    ['a directory', 'a directory'],
    ['PostgreSQL', 'PostgreSQL'],
  ]

  test.for(cases(otherKind, sameKind))(
    'takes all documents, revocations and webhooks from %s to %s, as they are',
    async ([from, to]) => {
      const [source, target] = [await emptyPlace(from), await emptyPlace(to)]
      const texts = await fill(source)
      const before = await contentsOf(source)
      const first = await copy(source, target)
      expect(first).toMatchObject({ code: 0, stderr: '' })
      expect(first.stdout.split('\n').sort()).toEqual(
        ['', ...NAMES.map((name) => `'${name}': copied`), '3 documents, 3 copied, 3 read back the same'].sort(),
      )
      expect(await contentsOf(target)).toEqual(before)
      expect(await contentsOf(source)).toEqual(before)
      for (const name of NAMES) {
        const [was, is] = await Promise.all(
          [source, target].map((place) => use(place, (storage) => storage.stat(name))),
        )
        // What was a snapshot is one again, and what was written last keeps its time.
        expect(is?.snapshotBytes).toBeGreaterThan(0)
        expect(is?.snapshotBytes).toBe(was?.snapshotBytes)
        expect(Math.floor(is?.updatedAt ?? 0)).toBe(Math.floor(was?.updatedAt ?? 0))
      }
      expect(await use(target, (storage) => storage.revocations.loadRevocations())).toEqual(
        await use(source, (storage) => storage.revocations.loadRevocations()),
      )
      expect(await use(target, (storage) => storage.webhooks.loadWebhooks())).toEqual([
        { id: 'a', text: '{"of":"later"}' },
      ])
      // A second time there is nothing left to do.
      expect(await copy(source, target)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^3 documents, 3 there already, 3 read back the same$/m),
      })

      const { url, server } = await startInProcess({ release, options: optionsFor(target) })
      for (const document of NAMES) {
        expect(textOf({ doc: await freshCopy({ release, url, document }) }).toString()).toBe(texts.get(document))
      }
      await server.close()
    },
  )

  /** Has two services and a restore write what is compacted again and again, and names some versions. */
  const writeHistory = async (place: string): Promise<void> => {
    const options = { ...COMPACTING, chunkBytes: 8 * 1024, authSecret: SECRET, ...optionsFor(place) }
    const { url, server } = await startInProcess({ release, options })
    const [ada, ben] = await Promise.all(['ada', 'ben'].map((user) => apiOf(url, user)))
    for (let count = 1; count <= 60; count++) {
      const writer = count % 3 === 0 ? ben : ada
      // Enough that a history has several starts.
      const filler = randomBytes(20 * 1024).toString('base64')
      expect(await writer.patch('notes', { count, filler }, '?root=root')).toMatchObject({ status: 204 })
      if (count % 20 === 0) {
        const named = await ben.call('PUT', `api/documents/notes/versions/after%20${count}`)
        expect(named).toMatchObject({ status: 201 })
      }
    }
    const restored = { type: 'application/json', body: { to: 50 } }
    expect(await ada.call('POST', 'api/documents/notes/history/restore', restored)).toMatchObject({ status: 204 })
    await server.close()
  }

  /** What a server on it tells of the history. */
  const historyAt = async (place: string) => {
    const { url, server } = await startInProcess({ release, options: { authSecret: SECRET, ...optionsFor(place) } })
    const reader = await apiOf(url, 'reader')
    const ask = async (path: string) => {
      const { status, body } = await reader.call('GET', `api/documents/notes/${path}`)
      expect(status).toBe(200)
      return body
    }
    const timeline = Object(await ask('history?pause=0&limit=1000'))
    const { groups } = timeline
    const versions = [0, 1, groups[40].last, groups[20].first, groups[1].last, groups[0].last]
    const moments = [...versions, 'named:after 20', groups[0].until, groups[30].until, groups.at(-1).since]
    const contents: unknown[] = []
    for (const at of moments) contents.push(await ask(`history/content?root=root&at=${encodeURIComponent(at)}`))
    const told = { timeline, contents, versions: await ask('versions') }
    await server.close()
    return told
  }

  test('takes the history along to PostgreSQL and back, under the same numbers, also where it was ended in between', async () => {
    const [source, target, again] = [
      await emptyPlace('a directory'),
      await emptyPlace('PostgreSQL'),
      await emptyPlace('a directory'),
    ]
    await writeHistory(source)
    const told = await historyAt(source)
    expect(told.timeline.groups).toHaveLength(61)
    const { snapshot, segments } = await use(source, async ({ history }) => ({
      snapshot: (await history.loadDated('notes')).snapshot,
      segments: await history.listSegments('notes', undefined, 100),
    }))
    expect(segments.filter(({ isStart }) => isStart).length).toBeGreaterThan(1)
    if (!snapshot) throw new Error('nothing was compacted')
    // What a copy leaves that is ended as soon as it has begun.
    await use(target, (storage) => storage.storeSnapshot('notes', snapshot))

    for (const [from, to] of [
      [source, target],
      [target, again],
    ]) {
      expect(await copy(from, to)).toMatchObject({
        code: 0,
        stderr: '',
        stdout: "'notes': copied\n1 document, 1 copied, 1 read back the same\n",
      })
      expect(await historyAt(to)).toEqual(told)
    }
    expect(await copy(target, again)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("'notes': there already\n"),
    })
    // What goes on behind it is a part of the same history.
    const { url, server } = await startInProcess({ release, options: { authSecret: SECRET, ...optionsFor(again) } })
    const ada = await apiOf(url, 'ada')
    const { status, etag } = await ada.patch('notes', { count: 'more' }, '?root=root')
    expect([status, etag?.split('-')[1]]).toEqual([204, `${told.timeline.groups[0].last + 1}`])
    const restored = { type: 'application/json', body: { to: { named: 'after 20' } } }
    expect(await ada.call('POST', 'api/documents/notes/history/restore', restored)).toMatchObject({ status: 204 })
    expect(await ada.read('notes', '?root=root')).toMatchObject({ body: { count: 20 } })
    await server.close()
  })

  test('cursors of event streams are told from those of before: a stream begins anew', async () => {
    const source = await emptyPlace('a directory')
    const before = await startInProcess({ release, options: { data: source } })
    const writer = await syncedClient({ release, url: before.url, document: 'notes' })
    textOf(writer).insert(0, 'text')
    const { id } = await firstEvent(before.url)
    await before.server.close()
    const target = await emptyPlace('PostgreSQL')
    expect(await copy(source, target)).toMatchObject({ code: 0 })
    const after = await startInProcess({ release, options: { database: target } })
    const { update } = await firstEvent(after.url, id)
    expect(docOf(update).getText('text').toString()).toBe('text')
    await after.server.close()
  })

  test('a document that is another one at the destination is named and left as it is, and the others are copied', async () => {
    const [source, target] = [await emptyPlace('a directory'), await emptyPlace('PostgreSQL')]
    const write = (place: string, documents: Readonly<Record<string, Uint8Array>>) =>
      use(place, (storage) =>
        storage.append(Object.entries(documents).map(([document, update]) => ({ document, update, base: 0 }))),
      )
    const [one, two] = [new Writer(1).insert('one').update, new Writer(2).insert('two').update]
    await write(source, { notes: one, other: one, same: one })
    await write(target, { notes: two, same: one })
    const exit = await copy(source, target)
    expect(exit).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^coedit: 2 documents .*\(COPY_INCOMPLETE\)\n$/),
      stdout:
        "'notes': there already\n'other': copied\n'same': there already\n" +
        "'notes': is another one at the destination\n'same': has another history at the destination\n" +
        '3 documents, 2 there already, 1 copied, 1 read back the same\n',
    })
    const contents = await contentsOf(target)
    expect([contents.notes, contents.other]).toEqual([Buffer.from(two), Buffer.from(one)])
  })

  test('entries that overlap, as several servers write them, are copied under their numbers', async () => {
    const [source, target] = [await emptyPlace('PostgreSQL'), await emptyPlace('a directory')]
    const writer = new Writer(7)
    const [first] = [writer.insert('abc')]
    writer.insert('def')
    const { everything } = writer
    await use(source, async (storage) => {
      await storage.append([{ document: 'notes', update: first.update, base: 0 }])
      await storage.append([{ document: 'notes', update: everything, base: 0 }])
      await storage.append([{ document: 'notes', update: first.update, base: 0 }])
    })
    expect(await copy(source, target)).toMatchObject({ code: 0, stderr: '' })
    const { tail } = await use(target, (storage) => storage.load('notes'))
    expect(tail).toHaveLength(3)
    expect(
      docOf(...tail.map(({ update }) => update))
        .getText('text')
        .toString(),
    ).toBe('abcdef')
    const exported = await runCoedit(release, ['export', 'notes', '--root', 'text', '--database', source])
    expect(exported).toMatchObject({ code: 0, stdout: 'abcdef' })
  })

  test('completes a document of which the beginning is there, in more than one step where it is large', async () => {
    const [source, target] = [await emptyPlace('a directory'), await emptyPlace('PostgreSQL')]
    const writer = new Writer(1)
    const updates = Array.from({ length: 6 }, (_, index) => writer.insert(`${index}`.repeat(MiB)).update)
    const entries = updates.map((update) => ({ document: 'large', update, base: 0 }))
    await use(source, (storage) => storage.append(entries.slice(0, 1)))
    expect(await copy(source, target)).toMatchObject({ code: 0 })
    await use(source, (storage) => storage.append(entries.slice(1)))
    expect(await copy(source, target)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^'large': copied$/m) })
    const { tail } = await use(target, (storage) => storage.load('large'))
    expect(tail.map(({ update }) => update.length)).toEqual(updates.map(({ length }) => length))
    expect(
      docOf(...tail.map(({ update }) => update))
        .getText('text')
        .toString(),
    ).toBe(writer.text.toString())
  })

  test('refuses while a server has the directory or is connected to the database, unless forced', async () => {
    const [source, target] = [await emptyPlace('a directory'), await emptyPlace('PostgreSQL')]
    const server = await startServer({ release, data: source })
    const locked = { code: 1, stderr: expect.stringContaining('(STORAGE_LOCKED)') }
    expect(await copy(source, target)).toMatchObject(locked)
    expect(await copy(source, target, '--force')).toMatchObject(locked)
    await server.kill()

    const node = await startServer({ release, flags: ['--database', target] })
    await postgres.execute(target, 'CREATE ROLE copier LOGIN')
    await runCoedit(release, ['migrate', '--grant-to', 'copier', '--database', target])
    // Also a role that may see little of what others do.
    expect(await copy(source, target.replace('//postgres@', '//copier@'))).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^coedit: 1 server .*\(STORAGE_LOCKED\)\n$/),
    })
    expect(await copy(source, target, '--force')).toMatchObject({ code: 0 })
    // It says goodbye to the database by no more than its end.
    await node.kill()
    expect(await copy(source, target)).toMatchObject({ code: 0 })
  })

  test('says what is missing: an option, a database, a schema', async () => {
    const target = await emptyPlace('a directory')
    const run = async (...args: string[]) => {
      const { code, stderr } = await runCoedit(release, ['copy', ...args])
      return [code, /\((\w+)\)\n$/.exec(stderr)?.[1]]
    }
    expect(await run('--to', target)).toEqual([2, 'OPTION_INVALID'])
    expect(await run('--from', target)).toEqual([2, 'OPTION_INVALID'])
    expect(await run('--from', target, '--to', target)).toEqual([1, 'STORAGE_MISSING'])
    const empty = await postgres.newDatabase()
    expect(await run('--from', empty, '--to', target)).toEqual([1, 'STORAGE_MISSING'])
  })

  test('goes on where it was killed', async () => {
    const MANY = 300
    const [source, target] = [await emptyPlace('a directory'), await emptyPlace('PostgreSQL')]
    await use(source, (storage) =>
      storage.append(
        Array.from({ length: MANY }, (_, number) => {
          const update = new Writer(number + 1).insert(`text ${number}`).update
          return { document: `${number}`, update, base: 0 }
        }),
      ),
    )
    // Some have a history.
    await use(source, async (storage) => {
      for (let number = 0; number < MANY; number += 10) {
        const { head, tail } = await storage.load(`${number}`)
        const snapshot = { seq: head, chunks: tail.map(({ update }) => update), stateVector: null, deleteSet: null }
        await storage.compact(`${number}`, { snapshot, replaces: 0, history: { maxRunMs: 0 } })
      }
    })
    for (const after of [3, 100]) await killAfter(after, source, target)
    const { length: there } = await use(target, (storage) => storage.list('', undefined, MANY))
    expect(there).toBeGreaterThanOrEqual(100)
    expect(there).toBeLessThan(MANY)
    const { code, stdout } = await copy(source, target)
    const sums = `${MANY} documents, ${there} there already, ${MANY - there} copied, ${MANY} read back the same`
    expect([code, stdout.split('\n').at(-2)?.split(', ').sort()]).toEqual([0, sums.split(', ').sort()])
    expect(await contentsOf(target)).toEqual(await contentsOf(source))
  })
}

async function apiOf(url: string, user: string) {
  return documentsApi(url, { authorization: `Bearer ${await token({ sub: user, coedit: { write: ['*'] } })}` })
}

async function firstEvent(url: string, lastEventId = ''): Promise<ServerEvent> {
  for await (const event of readEvents({ release, url, document: 'notes', lastEventId })) return event
  throw new Error('the stream ended before an event came')
}

/** Kills a copy as soon as it has said so often that it copied a document. */
async function killAfter(documents: number, from: string, to: string): Promise<void> {
  const args = [pathOf('server/bin/coedit.js'), 'copy', '--from', from, '--to', to]
  const child = spawn(process.execPath, args, { env: { PATH: process.env.PATH } })
  const exited = once(child, 'exit')
  release(async () => {
    child.kill('SIGKILL')
    await exited
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (output.split(': copied\n').length > documents) child.kill('SIGKILL')
  })
  expect(await exited).toEqual([null, 'SIGKILL'])
}
