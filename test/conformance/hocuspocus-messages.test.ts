import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { bytes } from '../support/bytes.ts'
import { edit } from '../support/edits.ts'
import { startInProcess } from '../support/in-process-server.ts'
import { CLOSE, connectKeyed, type KeyedClient, stateless, token } from '../support/keyed-client.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { presence, step1, step2, update } from '../support/messages.ts'
import { connectRaw } from '../support/raw-client.ts'
import { freshCopy, textOf } from '../support/stock-clients.ts'
import { SECRET, token as signed } from '../support/tokens.ts'

const release = onTestFinished
/** When the clocks of these tests start, in the unit of tokens. */
const START = new ManualClock().now() / 1000

/** Time leaps in these tests: no peer could answer pings as fast. */
const QUIET = { authLeewayMs: 0, pingIntervalMs: 3_600_000 }

type Settings = Omit<Parameters<typeof startInProcess>[0], 'release'>

async function scene(settings: Settings = {}) {
  const server = await startInProcess({ release, ...settings })
  return { ...server, connect: () => connectKeyed(release, server.url) }
}

/** The same with tokens and a clock that stands still. */
async function guarded(options: Settings['options'] = {}) {
  const clock = new ManualClock()
  const made = await scene({ clock, options: { ...QUIET, authSecret: SECRET, ...options } })
  const issue = (claims: object = {}) => signed({ iat: START, exp: START + 3600, ...claims })
  return { ...made, clock, issue }
}

/** Opens a document, and resolves when its answer has ended. */
async function open(client: KeyedClient, key: string, valid = ''): Promise<void> {
  const answers = client.all(key, 'step2').length
  client.send(key, token(valid), step1())
  await client.message(key, 'step2', answers)
}

/** Advances the clock by seconds, each with a look at all connections. */
function pass(clock: ManualClock, seconds: number): void {
  for (let second = 0; second < seconds; second++) clock.advance(1000)
}

describe('R101 the path', () => {
  test.each([
    ['', '', ''],
    ['the base path', '/base', '/base'],
    ['the base path and a slash', '/base', '/base/'],
    ['one of hocuspocusPaths', '', '/collab'],
    ['one of hocuspocusPaths and a slash', '', '/other/way/'],
  ])('%s is where the key names the document', async (_, basePath, path) => {
    const { url } = await scene({ options: { basePath, hocuspocusPaths: '/collab, /other/way' } })
    const client = await connectKeyed(release, new URL(path, url).href)
    await open(client, 'a%20b')
    client.send('a%20b', step2(edit('x').update))
    await client.message('a%20b', 'status')
    expect(textOf({ doc: await freshCopy({ release, url, document: 'a%20b' }) }).toString()).toBe('x')
  })
})

describe('R102 messages', () => {
  test('the answer to a ping is no message', async () => {
    const { connect } = await scene()
    const client = await connect()
    client.sendRaw(Uint8Array.of(10))
    await open(client, 'notes')
  })

  test('of a y-websocket client close with 4400, late, and the log tells once', async () => {
    const clock = new ManualClock()
    const { connect, lines } = await scene({ clock })
    const clients = [await connect(), await connect()]
    for (const client of clients) client.sendRaw(step1())
    await clock.hasTimerOf(200)
    clock.advance(100)
    expect(await clients[0]?.closed).toMatchObject({ code: 4400, reason: expect.stringContaining('y-websocket') })
    clock.advance(100)
    expect(await clients[1]?.closed).toMatchObject({ code: 4400 })
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
  })

  test.each([
    ['a key that is cut short', Uint8Array.of(5, 97)],
    ['a key that is no UTF-8', Uint8Array.of(1, 0xff, 0, 0)],
    ['no type', bytes('notes')],
    ['a Step1 that is cut short', bytes('notes', 0, 0, 7)],
    ['a token that is followed by more', bytes('notes', 2, 0, 'token', 'version', 'more')],
    ['a kind of authentication that only servers have', bytes('notes', 2, 1, 'reason')],
  ])('R112 that are malformed (%s) close with 1008, late', async (_, message) => {
    const clock = new ManualClock()
    const { connect } = await scene({ clock })
    const client = await connect()
    client.sendRaw(message)
    await clock.hasTimerOf(100)
    expect(client.isOpen).toBe(true)
    clock.advance(100)
    expect((await client.closed).code).toBe(1008)
  })
})

describe('R103 authentication', () => {
  test('begins with a token, before which nothing is answered', async () => {
    const { connect, issue } = await guarded()
    const client = await connect()
    client.send('notes', step1(), step2(edit('x').update), presence({ clientId: 1, clock: 1, state: {} }))
    await client.roundTrip()
    expect(client.messages).toEqual([])
    client.send('notes', token(await issue()))
    await client.message('notes', 'step2')
    expect(client.types('notes').slice(0, 2)).toEqual(['authenticated', 'step1'])
  })

  test('takes a token that the upgrade brought where that of the message is empty, or does not come', async () => {
    const { url, issue } = await guarded()
    const client = await connectKeyed(release, `${url}?token=${await issue()}`)
    client.send('notes', token(''), step1())
    client.send('drafts/1', step1())
    await Promise.all([client.message('notes', 'step2'), client.message('drafts/1', 'step2')])
  })

  test('of a client that has no token is not waited for longer than 1.5 s', async () => {
    const { connect, clock } = await guarded()
    const client = await connect()
    client.send('notes', step1())
    await clock.hasTimerOf(1500)
    clock.advance(1500)
    expect(await client.message('notes', 'denied')).toMatchObject({ reason: 'there is no valid token' })
  })
})

describe('R104 a denial', () => {
  test.each([
    ['a token that is not valid', 'notes', () => 'letmein'],
    ['a document that is not allowed', 'other', (valid: string) => valid],
    ['a name that none can have', 'a/../b', (valid: string) => valid],
    ['a name of blanks', '  ', (valid: string) => valid],
    ['an empty name', '\0session', (valid: string) => valid],
  ])('is told by message for %s, and costs others nothing', async (_, key, tokenOf) => {
    const { connect, issue } = await guarded()
    const client = await connect()
    await open(client, 'drafts/a', await issue())
    client.send(key, token(tokenOf(await issue())), step1(), update(edit('x').update))
    await client.message(key, 'denied')
    expect(client.types(key)).toEqual(['denied'])
    client.send('drafts/a', step2(edit('y').update))
    await client.message('drafts/a', 'status')
    expect(client.isOpen).toBe(true)
  })

  test('is taken back by another token, behind the Step1 that comes before it', async () => {
    const { connect, issue } = await guarded()
    const client = await connect()
    client.send('notes', token('letmein'), step1())
    await client.message('notes', 'denied')
    client.send('notes', step1(), update(edit('x').update), token(await issue()))
    await client.message('notes', 'step2')
    expect(client.types('notes')).toEqual(['denied', 'authenticated', 'step1', 'step2'])
    client.send('notes', step2(edit('x').update))
    await client.message('notes', 'status', 1)
  })

  test('comes late after the first ten of a socket', async () => {
    const { connect, clock } = await guarded()
    const client = await connect()
    for (let n = 0; n < 11; n++) client.send(`notes${n}`, token('letmein'))
    await client.message('notes9', 'denied')
    await clock.hasTimerOf(100)
    expect(client.types('notes10')).toEqual([])
    clock.advance(100)
    await client.message('notes10', 'denied')
  })

  test('is not what a client gets while tokens cannot be checked, or a document not be read', async () => {
    const clock = new ManualClock()
    let failures = 2
    const fail = () => {
      if (failures-- > 0) throw new Error('not now')
    }
    const { connect } = await scene({
      clock,
      authenticate: () => {
        fail()
        return { access: 'write' }
      },
    })
    const client = await connect()
    client.send('notes', token('any'), step1())
    await clock.hasTimerOf(100)
    clock.advance(100)
    await clock.hasTimerOf(200)
    clock.advance(200)
    await client.message('notes', 'step2')
    expect(client.all('notes', 'denied')).toEqual([])
  })

  test('is not what a client gets where the hook load fails', async () => {
    const clock = new ManualClock()
    let isBroken = true
    const load = () => {
      if (isBroken) throw new Error('not now')
      return undefined
    }
    const { connect } = await scene({ clock, hooks: { load } })
    const client = await connect()
    client.send('notes', token(''), step1())
    await clock.hasTimerOf(100)
    isBroken = false
    clock.advance(100)
    await client.message('notes', 'step2')
    expect(client.types('notes')[0]).toBe('authenticated')
  })
})

describe('R106 what is owed', () => {
  test('is one for a Step1 and one for each Update, when all is durable', async () => {
    const { connect } = await scene()
    const client = await connect()
    await open(client, 'notes')
    client.send('notes', update(edit('a').update), update(edit('b').update))
    await client.roundTrip()
    expect(client.stored('notes')).toBe(0)
    client.send('notes', step2())
    await client.message('notes', 'status', 2)
    await client.roundTrip()
    expect(client.stored('notes')).toBe(3)
  })

  test('before another Step1 is forgotten', async () => {
    const { connect } = await scene()
    const client = await connect()
    await open(client, 'notes')
    client.send('notes', update(edit('a').update), step1(), step2())
    await client.message('notes', 'status')
    await client.roundTrip()
    expect(client.stored('notes')).toBe(1)
    expect(client.all('notes', 'step1')).toHaveLength(1)
    client.send('notes', step1())
    await client.message('notes', 'step1', 1)
  })

  test('R20 is nothing for an Update with a hole, until the Step2 that brings the rest', async () => {
    const { connect } = await scene()
    const client = await connect()
    await open(client, 'notes')
    client.send('notes', step2())
    await client.message('notes', 'status')
    const doc = new Y.Doc()
    textOf({ doc }).insert(0, 'first')
    const before = Y.encodeStateVector(doc)
    textOf({ doc }).insert(5, ' second')
    client.send('notes', update(Y.encodeStateAsUpdate(doc, before)))
    await client.message('notes', 'step1', 1)
    expect(client.stored('notes')).toBe(1)
    client.send('notes', step2(Y.encodeStateAsUpdate(doc)))
    await client.message('notes', 'status', 1)
    await client.roundTrip()
    // Nothing for the Step2, which answers a Step1 of the server's own.
    expect(client.stored('notes')).toBe(2)
  })

  test('R105 for what came before the document was open is told when the Step2 has brought it', async () => {
    const { connect, issue, url } = await guarded()
    const client = await connect()
    const { update: written } = edit('early')
    client.send('notes', update(edit('forgotten').update), step1(), update(written), update(written))
    client.send('notes', token(await issue()))
    await client.message('notes', 'step2')
    expect(client.stored('notes')).toBe(0)
    client.send('notes', step2(written))
    await client.message('notes', 'status', 2)
    await client.roundTrip()
    expect(client.stored('notes')).toBe(3)
    const copy = await connectRaw({ release, url, document: 'notes', query: `?token=${await issue()}` })
    await copy.follow()
    expect(textOf({ doc: copy.doc }).toString()).toBe('early')
  })

  test('R107 is nothing for edits that the Step1 told of, and nothing for deletions behind the first frame', async () => {
    const { connect } = await scene()
    const doc = new Y.Doc()
    const updates: Uint8Array[] = []
    doc.on('update', (made: Uint8Array) => updates.push(made))
    textOf({ doc }).insert(0, 'offline')
    textOf({ doc }).delete(0, 3)
    const stateVector = Y.encodeStateVector(doc)
    const client = await connect()
    client.send('notes', token(''), step1(stateVector))
    await client.message('notes', 'step1')
    await client.roundTrip()
    client.send('notes', ...updates.map(update))
    textOf({ doc }).insert(0, 'online')
    client.send('notes', ...updates.slice(2).map(update), step2(Y.encodeStateAsUpdate(doc)))
    await client.message('notes', 'status', 1)
    await client.roundTrip()
    expect(client.stored('notes')).toBe(2)
    client.send('notes', ...updates.map(update))
    await client.message('notes', 'status', 4)
  })
})

test('R108 one that may only read is told what of its edits only it has', async () => {
  const { connect, issue } = await guarded()
  const writer = await connect()
  const written = edit('public')
  const all = await issue({ coedit: { write: ['*'] } })
  await open(writer, 'public/1', all)
  writer.send('public/1', step2(written.update))
  await writer.message('public/1', 'status')
  const reader = await connect()
  await open(reader, 'public/1', await issue())
  expect(reader.all('public/1', 'authenticated')).toMatchObject([{ scope: 'readonly' }])
  reader.send('public/1', step2(written.update))
  await reader.message('public/1', 'status')
  reader.send('public/1', update(edit('not allowed').update))
  await reader.message('public/1', 'status', 1)
  reader.send('public/1', step1())
  await reader.message('public/1', 'step1', 1)
  reader.send('public/1', step2(edit('not allowed').update))
  await reader.message('public/1', 'status', 2)
  expect(reader.all('public/1', 'status').map(({ wasTaken }) => wasTaken)).toEqual([true, false, false])
})

describe('R109 renewal', () => {
  test('is asked for 30 s before the token expires, once, and not answered', async () => {
    const { connect, clock, issue } = await guarded()
    const client = await connect()
    await open(client, 'notes', await issue({ exp: START + 120 }))
    pass(clock, 89)
    await client.roundTrip()
    expect(client.all('notes', 'tokenRequest')).toEqual([])
    pass(clock, 5)
    await client.message('notes', 'tokenRequest')
    client.send('notes', token(await issue({ exp: START + 300 })))
    await clock.hasTimerOf(300_000 - 94_000)
    pass(clock, 60)
    await client.roundTrip()
    expect(client.all('notes', 'tokenRequest')).toHaveLength(1)
    expect(client.all('notes', 'authenticated')).toHaveLength(1)
    expect(client.all('notes', 'denied')).toEqual([])
  })

  test('that allows something else changes the access in place', async () => {
    const { connect, issue, url } = await guarded()
    const client = await connect()
    await open(client, 'notes', await issue({ coedit: { read: ['notes'] } }))
    client.send('notes', step2())
    await client.message('notes', 'status')
    const { update: written } = edit('x')
    client.send('notes', update(written))
    expect(await client.message('notes', 'status', 1)).toMatchObject({ wasTaken: false })
    client.send('notes', token(await issue()))
    expect(await client.message('notes', 'authenticated', 1)).toMatchObject({ scope: 'read-write' })
    await client.message('notes', 'step1', 1)
    client.send('notes', step2(written))
    // It pays for the Update that was refused.
    await client.message('notes', 'status', 2)
    expect(client.stored('notes')).toBe(2)
    client.send('notes', token(await issue({ coedit: { read: ['notes'] } })))
    expect(await client.message('notes', 'authenticated', 2)).toMatchObject({ scope: 'readonly' })
    const reader = await connectRaw({ release, url, document: 'notes', query: `?token=${await issue()}` })
    await reader.follow()
    expect(textOf({ doc: reader.doc }).toString()).toBe('x')
  })
})

describe('R110 the end of access', () => {
  test('denies the document alone, and closes it for clients that have told their version', async () => {
    const { connect, clock, issue, server } = await guarded()
    const client = await connect()
    client.send('notes', token(await issue({ exp: START + 60 }), '4.8.0'), step1())
    await client.message('notes', 'step2')
    await open(client, 'drafts/1', await issue())
    pass(clock, 60)
    expect(await client.message('notes', 'close')).toMatchObject({ reason: 'the token has expired' })
    expect(client.types('notes').slice(-2)).toEqual(['denied', 'close'])
    await server.revoke({ document: 'drafts/1' })
    clock.advance(1000)
    await client.message('drafts/1', 'denied')
    expect(client.all('drafts/1', 'close')).toEqual([])
    client.send('notes', token(await issue()), step1())
    await client.message('notes', 'step2', 1)
  })

  test.each([
    ['is not valid', () => 'letmein'],
    ['is of another user', (issue: (claims: object) => Promise<string>) => issue({ sub: 'eve' })],
  ])('comes with a token that %s', async (_, make) => {
    const { connect, issue } = await guarded()
    const client = await connect()
    await open(client, 'notes', await issue())
    client.send('notes', token(await make(issue)))
    await client.message('notes', 'denied')
    client.send('notes', update(edit('x').update))
    await client.roundTrip()
    expect(client.isOpen).toBe(true)
    expect(client.all('notes', 'status')).toEqual([])
  })
})

test('R111 a client that was never sent a frame is not kept alive, all others are', async () => {
  const clock = new ManualClock()
  const { connect } = await scene({ clock, options: { keepAliveMs: 1000, pingIntervalMs: 3_600_000 } })
  const [silent, client] = [await connect(), await connect()]
  await open(client, 'notes')
  pass(clock, 3)
  expect(await client.message('', 'presence')).toMatchObject({ entries: [] })
  await silent.roundTrip()
  expect(silent.messages).toEqual([])
})

describe('R112 closing', () => {
  test('a document leaves the socket open, and it may be opened again', async () => {
    const { connect } = await scene()
    const [client, other] = [await connect(), await connect()]
    await open(client, 'notes')
    await open(other, 'notes')
    client.send('notes', step2(), presence({ clientId: 7, clock: 1, state: { name: 'ada' } }))
    await other.until('it is seen', () => lastState(other, 7) !== undefined)
    client.send('notes', CLOSE)
    await other.until('it is gone', () => lastState(other, 7) === null)
    other.send('notes', step2(), update(edit('x').update))
    await other.message('notes', 'status', 1)
    await open(client, 'notes')
    expect(client.types('notes').filter((type) => type === 'close' || type === 'update')).toEqual(['update'])
  })

  test('of the server says 1012 once all that came is durable, and to nobody that others are gone', async () => {
    const { connect, server, data } = await scene()
    const [client, other] = [await connect(), await connect()]
    await open(client, 'notes')
    await open(other, 'notes')
    client.send('notes', step2(), presence({ clientId: 7, clock: 1, state: { name: 'ada' } }))
    await other.until('it is seen', () => lastState(other, 7) !== undefined)
    client.send('notes', update(edit('last').update))
    await client.roundTrip()
    await server.close()
    expect(await client.closed).toMatchObject({ code: 1012 })
    expect(await other.closed).toMatchObject({ code: 1012 })
    expect(lastState(other, 7)).toEqual({ name: 'ada' })
    const again = await startInProcess({ release, options: { data } })
    expect(textOf({ doc: await freshCopy({ release, url: again.url, document: 'notes' }) }).toString()).toBe('last')
  })

  test('keeps edits that came right before the socket ended', async () => {
    const { connect, url } = await scene()
    const client = await connect()
    await open(client, 'notes')
    client.send('notes', step2(), ...Array.from({ length: 50 }, () => update(edit('x').update)))
    client.cut()
    await client.closed
    const copy = await connectRaw({ release, url, document: 'notes' })
    await copy.follow()
    await copy.until('all are there', () => textOf({ doc: copy.doc }).length === 50)
  })
})

function lastState(client: KeyedClient, clientId: number): unknown {
  const entries = client.all('notes', 'presence').flatMap((message) => message.entries)
  return entries.filter((entry) => entry.clientId === clientId).at(-1)?.state
}

describe('R113 limits', () => {
  test('documents of a socket, of which more are denied', async () => {
    const { connect } = await scene({ options: { maxDocumentsPerSocket: 2 } })
    const client = await connect()
    await open(client, 'a')
    await open(client, 'b')
    client.send('c', token(''), step1())
    await client.message('c', 'denied')
    client.send('a', CLOSE)
    await open(client, 'c')
  })

  test('connections of a document count each', async () => {
    const clock = new ManualClock()
    const { connect } = await scene({ clock, options: { maxConnectionsPerDocument: 2 } })
    const client = await connect()
    await open(client, 'notes')
    await open(client, 'notes\0second')
    client.send('notes\0third', token(''), step1())
    await clock.hasTimerOf(100)
    client.send('notes', CLOSE)
    await client.roundTrip()
    clock.advance(100)
    await client.message('notes\0third', 'step2')
  })

  test('what waits for a document that is not open', async () => {
    const { connect, issue } = await guarded({ maxFirstMessageBytes: 1024 })
    const client = await connect()
    client.send('notes', step1(), presence({ clientId: 1, clock: 1, state: 'x'.repeat(1024) }))
    client.send('notes', presence({ clientId: 1, clock: 2, state: 'small' }), token(await issue()))
    await client.message('notes', 'step2')
    await client.roundTrip()
    expect(client.isOpen).toBe(true)
  })

  test('a key that no document can have is not kept', async () => {
    const { connect } = await scene()
    const client = await connect()
    const key = 'x'.repeat(1000)
    client.send(key, token(''), step1())
    expect(await client.message(key, 'denied')).toMatchObject({ reason: expect.stringContaining('too long') })
  })
})

describe('R114 stateless messages', () => {
  test.each([
    ['nobody', []],
    ['writers', ['from the writer']],
    ['all', ['from the writer', 'from the reader']],
  ] as const)('go from %s to the others', async (statelessFrom, expected) => {
    const { connect, issue } = await guarded({ statelessFrom })
    const [writer, reader, other] = [await connect(), await connect(), await connect()]
    await open(writer, 'notes', await issue())
    await open(reader, 'notes', await issue({ coedit: { read: ['*'] } }))
    await open(other, 'notes\0session', await issue())
    await open(other, 'drafts/1', await issue())
    writer.send('notes', stateless('from the writer'), stateless('x'.repeat(64 * 1024 + 1)))
    await writer.roundTrip()
    reader.send('notes', stateless('from the reader'))
    await reader.roundTrip()
    await other.roundTrip()
    expect(other.all('notes\0session', 'stateless').map(({ payload }) => payload)).toEqual(expected)
    expect(writer.all('notes', 'stateless')).toHaveLength(expected.length > 1 ? 1 : 0)
    expect(other.all('drafts/1', 'stateless')).toEqual([])
  })
})

test('R115 a provider on the path of a document is told in the log, and closed late', async () => {
  const clock = new ManualClock()
  const { url, lines } = await scene({ clock })
  const client = await connectKeyed(release, `${url}notes`)
  client.send('notes', token(''), step1())
  await clock.hasTimerOf(100)
  clock.advance(100)
  expect(await client.closed).toMatchObject({ code: 1008, reason: expect.stringContaining('@hocuspocus/provider') })
  const [warning] = lines.filter(({ level }) => level === 'warn')
  expect(warning?.facts).toMatchObject({ code: 'CLIENT_MISTAKEN' })
})
