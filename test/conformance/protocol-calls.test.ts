import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { bodyOf, type CallMessage, caller } from '../support/caller.ts'
import { lastEntry } from '../support/event-stream.ts'
import { type InProcessOptions, startInProcess } from '../support/in-process-server.ts'
import { LeapingClock } from '../support/leaping-clock.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { EMPTY_UPDATE, presence, step1, step2, update } from '../support/messages.ts'
import { connectRaw } from '../support/raw-client.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const document = 'notes'
const KEY = 'the secret of one client'
const CLIENT = 42

async function start(settings: Omit<InProcessOptions, 'release'> = {}) {
  const { url, server } = await startInProcess({ release, ...settings })
  const there = { release, url, document }
  return { url, server, there, one: caller({ ...there, key: KEY }) }
}

/** Edits of a client, one after the other. */
function typing(...texts: readonly string[]): { readonly doc: Y.Doc; readonly updates: readonly Uint8Array[] } {
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on('update', (bytes: Uint8Array) => updates.push(bytes))
  for (const text of texts) doc.getText('text').insert(0, text)
  return { doc, updates }
}

function textIn(messages: readonly CallMessage[]): string {
  const doc = new Y.Doc()
  for (const message of messages) if (message.type === 'update') Y.applyUpdate(doc, message.update)
  return doc.getText('text').toString()
}

function typesOf(messages: readonly CallMessage[]): string[] {
  return messages.map(({ type }) => type)
}

describe('R57', () => {
  test('R57 what is new in a request is durable when the answer comes', async () => {
    const clock = new ManualClock()
    const { one } = await start({ clock })
    let isAnswered = false
    const answer = one.call([update(typing('a').updates[0])]).then((answered) => {
      isAnswered = true
      return answered
    })
    await clock.hasTimerOf(10)
    expect(isAnswered).toBe(false)
    clock.advance(10)
    expect(await answer).toMatchObject({ status: 200, messages: [{ type: 'acknowledgement', count: 1 }] })
  })

  test('R57 a request that comes twice adds nothing', async () => {
    const { one, there } = await start()
    const { updates } = typing('a', 'b')
    await one.call(updates.map(update))
    const before = await lastEntry(there)
    expect(await one.call(updates.map(update))).toMatchObject({ messages: [{ type: 'acknowledgement', count: 2 }] })
    expect(await lastEntry(there)).toBe(before)
  })

  test.each([
    ['no whole message', Uint8Array.of(9, 0, 0, 0, 1), 400, 'MESSAGE_MALFORMED'],
    ['half of a length', Uint8Array.of(9, 0), 400, 'MESSAGE_MALFORMED'],
    ['no message of the protocol', bodyOf([Uint8Array.of(0, 9, 0)]), 400, 'MESSAGE_MALFORMED'],
    [
      'a thousand and one messages',
      bodyOf(Array.from({ length: 1_001 }, () => Uint8Array.of(3))),
      400,
      'MESSAGE_MALFORMED',
    ],
    ['an update that is none', bodyOf([update(Uint8Array.of(9, 9))]), 400, 'UPDATE_MALFORMED'],
    ['more than maxBodyBytes', new Uint8Array(20_000), 413, 'BODY_TOO_LARGE'],
  ])('R57 a request with %s is refused', async (_, body, status, code) => {
    const { one } = await start({ options: { maxBodyBytes: 10_000 } })
    expect(await one.post(body)).toMatchObject({ status, code })
  })

  test('R57 a request without a secret is refused', async () => {
    const { there } = await start()
    expect(await caller({ ...there, key: '' }).call([])).toMatchObject({ status: 400, code: 'REQUEST_INVALID' })
  })
})

describe('R58', () => {
  test('R58 a Step1 is answered by one, by what is missing and by Step2, and by where that stands', async () => {
    const { one, there } = await start({ options: { nodeName: 'node-1' } })
    await one.call(typing('b', 'a').updates.map(update))
    const answer = await one.call([step1()])
    expect(typesOf(answer.messages)).toEqual(['step1', 'node', 'update', 'step2'])
    expect(textIn(answer.messages)).toBe('ab')
    expect(answer.place).toMatch(new RegExp(`-${await lastEntry(there)}$`))
  })

  test('R58 a document that was never written is empty', async () => {
    const { one } = await start()
    expect(typesOf((await one.call([step1()])).messages)).toEqual(['step1', 'step2'])
  })

  test('R58 who may only read, or says so, is denied to write, and sent no Step1', async () => {
    const { one } = await start()
    expect(typesOf((await one.call([step1()], '?access=read')).messages)).toEqual(['denied', 'step2'])
    expect(typesOf((await one.call([update(typing('a').updates[0])], '?access=read')).messages)).toEqual(['denied'])
    expect(textIn((await one.call([step1()])).messages)).toBe('')
  })
})

describe('R59', () => {
  test('R59 an Update with a hole is not acknowledged, but asked for, and comes with the Step2', async () => {
    const { one } = await start()
    const { doc, updates } = typing('b', 'a')
    expect(typesOf((await one.call([update(updates[1])])).messages)).toEqual(['step1'])
    const answer = await one.call([step2(Y.encodeStateAsUpdate(doc))])
    expect(answer.messages).toEqual([{ type: 'acknowledgement', count: 1 }])
    expect(textIn((await one.call([step1()])).messages)).toBe('ab')
  })

  test('R59 the count goes on from what was sent before', async () => {
    const { one } = await start()
    const { updates } = typing('b', 'a')
    await one.call([update(updates[0])])
    const answer = await one.call([update(updates[1])], '?sent=1')
    expect(answer.messages).toEqual([{ type: 'acknowledgement', count: 2 }])
  })

  test('R59 what a full document refuses is told, and not acknowledged', async () => {
    const { one } = await start({ options: { maxDocumentBytes: 1_024 } })
    const answer = await one.call([update(typing('x'.repeat(2_000)).updates[0])])
    expect(typesOf(answer.messages)).toEqual(['full'])
  })
})

describe('R60', () => {
  test('R60 a stream brings as messages what is behind a place, and goes on behind its last event', async () => {
    const { one } = await start()
    const { updates } = typing('c', 'b', 'a')
    await one.call([update(updates[0])])
    const { place = '' } = await one.call([step1()])
    await one.call([update(updates[1])])
    let id: string | undefined
    for await (const event of one.stream(place)) {
      if (event.message.type !== 'update') continue
      expect(event.message.update).toEqual(updates[1])
      id = event.id
      break
    }
    await one.call([update(updates[2])])
    for await (const { message } of one.stream(id ?? '')) {
      if (message.type !== 'update') continue
      expect(message.update).toEqual(updates[2])
      break
    }
  })

  test('R60 it says who is here but for its own client, and behind such an event only what has changed', async () => {
    const { one, there } = await start()
    const other = await connectRaw(there)
    await other.follow()
    other.send(presence({ clientId: 7, clock: 1, state: { name: 'Ben' } }))
    await one.call([presence({ clientId: CLIENT, clock: 1, state: { name: 'Ann' } })])
    let id = ''
    for await (const event of one.stream('', `&client=${CLIENT}`)) {
      expect(event.message).toMatchObject({ type: 'presence', entries: [{ clientId: 7, state: { name: 'Ben' } }] })
      id = event.id ?? ''
      break
    }
    other.send(presence({ clientId: 7, clock: 2, state: { name: 'Benjamin' } }))
    await other.roundTrip()
    for await (const { message } of one.stream(id, `&client=${CLIENT}`)) {
      expect(message).toMatchObject({ type: 'presence', entries: [{ clientId: 7, state: { name: 'Benjamin' } }] })
      break
    }
  })

  test('R60 with poll the answer ends soon after something has come, or after a silence', async () => {
    const clock = new LeapingClock()
    const { one } = await start({ clock, options: { keepAliveMs: 20_000 } })
    const { place = '' } = await one.call([step1()])
    const poll = async () => {
      const messages: CallMessage[] = []
      for await (const { message } of one.stream(place, '&poll=1')) messages.push(message)
      return messages
    }
    const polled = poll()
    await one.call([update(typing('a').updates[0])])
    expect(textIn(await polled)).toBe('a')

    const { one: silent } = await start({ clock, options: { keepAliveMs: 20_000 } })
    const stream = silent.stream((await silent.call([step1()])).place ?? '', '&poll=1')
    const first = await stream.next()
    clock.leap(20_000)
    expect(first.value?.message).toMatchObject({ type: 'presence' })
    expect(await stream.next()).toMatchObject({ done: true })
  })
})

describe('R61', () => {
  const ann = (clock: number, state: unknown = { name: 'Ann' }) => presence({ clientId: CLIENT, clock, state })

  /** Somebody at a WebSocket who watches. */
  async function watched() {
    const clock = new LeapingClock()
    const { one, there, url } = await start({ clock, options: { pingIntervalMs: 3_600_000 } })
    const other = await connectRaw(there)
    await other.follow()
    const shown = (state: unknown) =>
      other.until(`the state is ${JSON.stringify(state)}`, () => {
        const entries = other.all('presence').flatMap(({ entries: some }) => some)
        const last = entries.filter(({ clientId }) => clientId === CLIENT).at(-1)
        return last !== undefined && JSON.stringify(last.state) === JSON.stringify(state)
      })
    const pass = (seconds: number) => {
      for (let second = 0; second < seconds; second++) clock.leap(1_000)
    }
    return { one, there, url, other, shown, pass }
  }

  test('R61 presence is shown to all others, for 90 s after the last request', async () => {
    const { one, other, shown, pass } = await watched()
    await one.call([ann(1)])
    await shown({ name: 'Ann' })
    pass(89)
    await one.call([])
    pass(89)
    await other.roundTrip()
    await shown({ name: 'Ann' })
    pass(2)
    await shown(null)
  })

  test('R61 nobody else changes it: it belongs to the secret', async () => {
    const { one, there, shown, other } = await watched()
    await one.call([ann(1)])
    await shown({ name: 'Ann' })
    await caller({ ...there, key: 'the secret of another one' }).call([ann(9, { name: 'Mallory' })])
    const socket = await connectRaw(there)
    socket.send(step1(), step2(), ann(9, { name: 'Mallory' }))
    await socket.roundTrip()
    await one.call([ann(2, { name: 'Anna' })])
    await shown({ name: 'Anna' })
    expect(JSON.stringify(other.all('presence'))).not.toContain('Mallory')
  })

  test('R61 with leave it gives way to a WebSocket at once, and otherwise is gone a second later', async () => {
    const { one, there, shown, other, pass } = await watched()
    await one.call([ann(1)])
    await shown({ name: 'Ann' })
    await one.call([ann(1)], '?leave=1')
    const socket = await connectRaw(there)
    socket.send(step1(), ann(2, { name: 'Ann by WebSocket' }), step2())
    await shown({ name: 'Ann by WebSocket' })
    pass(2)
    await other.roundTrip()
    await shown({ name: 'Ann by WebSocket' })
    expect(JSON.stringify(other.all('presence'))).not.toContain('null')
    await socket.close()
    await shown(null)
    await one.call([ann(5)])
    await shown({ name: 'Ann' })
    await one.call([ann(5)], '?leave=1')
    pass(1)
    await shown(null)
  })

  test('R61 when its stream has ended, it is gone 5 s later', async () => {
    const { one, shown, pass } = await watched()
    await one.call([ann(1)])
    await shown({ name: 'Ann' })
    for await (const _ of one.stream('')) break
    // The server hears of the end by the connection.
    while (true) {
      pass(5)
      if (await Promise.race([shown(null).then(() => true), new Promise((resolve) => setTimeout(resolve, 20))])) break
    }
  })

  test('R61 when another stream follows the last one, it stays', async () => {
    const { one, other, shown, pass } = await watched()
    await one.call([update(typing('a').updates[0]), ann(1)])
    await shown({ name: 'Ann' })
    let polled = 0
    for await (const _ of one.stream('', '&poll=1')) polled++
    expect(polled).toBeGreaterThan(0)
    for await (const _ of one.stream('')) {
      pass(10)
      await other.roundTrip()
      break
    }
    expect(JSON.stringify(other.all('presence'))).not.toContain('null')
  })

  test('R61 a state that is refused is told', async () => {
    const { one } = await start({ options: { maxPresenceBytes: 1_024 } })
    const { messages } = await one.call([ann(1, { name: 'x'.repeat(2_000) })])
    expect(messages).toEqual([{ type: 'presenceRefused' }])
  })
})

describe('R62', () => {
  test('R62 what a WebSocket is closed with is an error of HTTP', async () => {
    const { there, server } = await start({ options: { authSecret: SECRET } })
    const as = async (headers: Readonly<Record<string, string>>, name = document) => {
      const { status, code } = await caller({ ...there, document: name, key: KEY, headers }).call([step1()])
      return [status, code]
    }
    const good = { authorization: `Bearer ${await token()}` }
    expect(await as({})).toEqual([401, 'UNAUTHORIZED'])
    expect(await as({ authorization: 'Bearer forged' })).toEqual([401, 'UNAUTHORIZED'])
    expect(await as(good, 'of/others')).toEqual([403, 'FORBIDDEN'])
    expect(await as({ ...good, origin: 'https://evil.example' })).toEqual([403, 'FORBIDDEN'])
    expect(await as(good, 'a\u0000b')).toEqual([400, 'DOCUMENT_NAME'])
    expect(await as(good)).toEqual([200, undefined])
    await server.create(document)
    await server.delete(document)
    expect(await as(good)).toEqual([410, 'GONE'])
  })

  test('R62 a page of an allowed origin is let in with the headers of a client, and no other page', async () => {
    const { url } = await start({ options: { allowedOrigins: 'https://app.example' } })
    const ask = async (origin: string) => {
      const { status, headers } = await fetch(`${url}api/documents/${document}/messages`, {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'authorization,coedit-client,last-event-id',
        },
      })
      return [status, headers.get('access-control-allow-headers'), headers.get('access-control-allow-credentials')]
    }
    expect(await ask('https://app.example')).toEqual([204, 'authorization,coedit-client,last-event-id', 'true'])
    expect(await ask('https://evil.example')).toEqual([403, null, null])
  })

  test('R62 edits of a client that wrote the document before it was deleted are refused', async () => {
    const { one, server } = await start()
    const { updates, doc } = typing('a')
    await one.call([update(updates[0])])
    await server.delete(document)
    await server.create(document)
    expect(await one.call([step2(Y.encodeStateAsUpdate(doc))])).toMatchObject({ status: 410, code: 'GONE' })
    expect(await one.call([step1(Y.encodeStateVector(doc))])).toMatchObject({ status: 410, code: 'GONE' })
  })

  test('R62 an address has as many clients as it may have connections', async () => {
    const clock = new LeapingClock()
    const { there } = await start({ clock, options: { maxConnectionsPerAddress: 2 } })
    const from = (key: string) => {
      const headers = { 'x-forwarded-for': '203.0.113.9' }
      return caller({ ...there, key: `the secret of ${key}`, headers }).call([step2(EMPTY_UPDATE)])
    }
    expect((await from('client one')).status).toBe(200)
    expect((await from('client two')).status).toBe(200)
    expect(await from('client three')).toMatchObject({ status: 429, code: 'TOO_MANY_CONNECTIONS' })
    expect((await from('client one')).status).toBe(200)
    clock.leap(90_000)
    expect((await from('client three')).status).toBe(200)
  })
})
