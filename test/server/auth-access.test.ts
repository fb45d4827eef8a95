import { describe, expect, onTestFinished, test } from 'vitest'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { refusedSocket, refusedStream, storedNames } from '../support/admission.ts'
import { edit } from '../support/edits.ts'
import { requestEvents } from '../support/event-stream.ts'
import { type InProcessServer, startInProcess } from '../support/in-process-server.ts'
import { presence, step2, update } from '../support/messages.ts'
import { connectRaw, type RawClient } from '../support/raw-client.ts'
import { openRawSocket } from '../support/raw-socket.ts'
import { allRead, nodeWebSocket, STOCK_VERSIONS, stockClient, syncedClient, textOf } from '../support/stock-clients.ts'
import { SECRET, token } from '../support/tokens.ts'

const release = onTestFinished
const document = 'notes'

function startServer(options: Parameters<typeof startInProcess>[0]['options'] = {}): Promise<InProcessServer> {
  return startInProcess({ release, options: { authSecret: SECRET, ...options } })
}

/** What a token with these rights allows with the document: `write`, `read` or the code that it is closed with. */
async function accessWith(url: string, rights: object, name: string): Promise<string | number> {
  const valid = await token({ coedit: rights })
  const client = await connectRaw({ release, url, document: name, query: `?token=${valid}`, protocols: ['coedit.v1'] })
  client.send(update(edit('x').update))
  const answer = client.until('it is known', () => client.types.includes('denied') || client.types.includes('step1'))
  const isOpen = await answer.then(
    () => true,
    () => false,
  )
  if (!isOpen) return (await client.closed).code
  return client.types.includes('denied') ? 'read' : 'write'
}

describe('the claim coedit', () => {
  const rights = { write: ['notes', 'drafts/*', '100%'], read: ['public/*', 'drafts/final', 'Notes'] }

  test.each([
    ['notes', 'write'],
    ['drafts/one', 'write'],
    ['drafts/', 'write'],
    ['drafts/a/b', 'write'],
    ['drafts/final', 'write'],
    ['100%', 'write'],
    ['public/page', 'read'],
    ['Notes', 'read'],
    ['NOTES', 4403],
    ['notes ', 4403],
    ['notes/more', 4403],
    ['note', 4403],
    ['drafts', 4403],
    ['my drafts/one', 4403],
    ['public', 4403],
  ])('gives to %s: %s', async (name, access) => {
    const { url } = await startServer()
    expect(await accessWith(url, rights, name)).toBe(access)
  })

  test.each([
    [{ write: ['*'] }, 'write'],
    [{ read: ['*'] }, 'read'],
    [{ write: [''] }, 4403],
    [{ write: ['*otes'] }, 4403],
    [{ write: ['n.tes', 'n?tes', 'not[e]s'] }, 4403],
    [{}, 4403],
  ])('%j gives to notes: %s', async (rights, access) => {
    const { url } = await startServer()
    expect(await accessWith(url, rights, document)).toBe(access)
  })

  test('holds for event streams, too; a document that is not allowed is HTTP 403, and nothing of it is made', async () => {
    const { url, server, data } = await startServer()
    const valid = await token()
    const attempt = { release, url, document: 'secret', token: valid }
    expect((await refusedSocket(attempt)).code).toBe(4403)
    expect(await refusedStream(attempt)).toEqual([403, 'FORBIDDEN'])
    await server.close()
    expect(await storedNames(data)).toEqual([])
  })

  test('a token without it allows nothing', async () => {
    const { url } = await startServer()
    const attempt = { release, url, token: await token({ coedit: undefined }) }
    expect((await refusedSocket(attempt)).code).toBe(4403)
    expect(await refusedStream(attempt)).toEqual([403, 'FORBIDDEN'])
  })
})

describe('R37 a token may come', () => {
  test.each([
    ['as a subprotocol', 'coedit', (valid: string) => ({ 'Sec-WebSocket-Protocol': `bearer.${valid}, coedit` })],
    ['before another', 'coedit.v1', (valid: string) => ({ 'Sec-WebSocket-Protocol': `bearer.${valid},coedit.v1` })],
    ['as the only subprotocol', undefined, (valid: string) => ({ 'Sec-WebSocket-Protocol': `bearer.${valid}` })],
    ['in the header Authorization', undefined, (valid: string) => ({ Authorization: `Bearer ${valid}` })],
    ['in a cookie', undefined, (valid: string) => ({ Cookie: `theme=dark; session=${valid}; last=1` })],
  ])('%s, and is not told back', async (_, selected, headers) => {
    const { url } = await startServer({ authCookie: 'session' })
    const valid = await token()
    const socket = await openRawSocket({ release, url, target: `/${document}`, headers: headers(valid) })
    const answer = await socket.answer
    expect(answer.headers.get('sec-websocket-protocol')).toBe(selected)
    expect(JSON.stringify([...answer.headers])).not.toContain(valid)
    await socket.until((messages) => messages.length > 0)
    expect(socket.messages[0]?.subarray(0, 2)).toEqual(Buffer.of(0, 0))
  })

  test.each([
    ['Authorization', (valid: string) => ({ authorization: `Bearer ${valid}` })],
    ['authorization of any case', (valid: string) => ({ authorization: `bearer  ${valid} ` })],
    ['Cookie', (valid: string) => ({ cookie: `session=${valid}` })],
  ])('in the header %s of an event stream', async (_, headers) => {
    const { url } = await startServer({ authCookie: 'session' })
    const response = await requestEvents({ release, url, segment: document, headers: headers(await token()) })
    expect(response.statusCode).toBe(200)
  })

  test('in the query of an event stream, which is all that EventSource can set', async () => {
    const { url } = await startServer()
    const answer = await fetch(`${url}api/documents/${document}/events?token=${await token()}`)
    expect(answer.status).toBe(200)
    await answer.body?.cancel()
  })

  test.each([
    ['in a cookie that the options do not name', { Cookie: 'session=TOKEN' }],
    ['in a cookie whose name only ends alike', { Cookie: 'my-session=TOKEN' }],
    ['by another scheme', { Authorization: 'Basic TOKEN' }],
    ['without its prefix', { 'Sec-WebSocket-Protocol': 'TOKEN' }],
  ])('but not %s', async (_, headers) => {
    const { url } = await startServer()
    const filled = JSON.parse(JSON.stringify(headers).replace('TOKEN', await token()))
    const socket = await openRawSocket({ release, url, target: `/${document}`, headers: filled })
    expect((await socket.closed).code).toBe(4401)
  })
})

describe('y-websocket', () => {
  test.each(STOCK_VERSIONS)('%s edits with a token among its parameters', async (version) => {
    const { url } = await startServer()
    const params = { token: await token() }
    const [first, second] = await Promise.all(
      [1, 2].map(() => syncedClient({ release, url, document, version, params })),
    )
    textOf(first).insert(0, 'shared')
    await allRead([first, second], 'shared')
  })

  test('3.1 edits with a token among its subprotocols', async () => {
    const { url } = await startServer()
    const provider = new WebsocketProvider(url, document, new Y.Doc(), {
      WebSocketPolyfill: nodeWebSocket(),
      protocols: ['coedit', `bearer.${await token()}`],
      disableBc: true,
    })
    release(async () => provider.destroy())
    await new Promise((resolve) => provider.once('sync', resolve))
    expect(provider.ws?.protocol).toBe('coedit')
  })

  test.each([
    ['without a token', undefined, document],
    ['with a token for something else', token, 'secret'],
  ])('3.1 gives up %s', async (_, make, name) => {
    const { url } = await startServer()
    const params = make ? { token: await make() } : {}
    const client = stockClient({ release, url, document: name, params })
    await client.lost()
    expect(client.provider.shouldConnect).toBe(false)
  })
})

describe('R5 a token that only allows reading', () => {
  const reading = { coedit: { read: [document] } }

  async function readerAndWriter(): Promise<{ url: string; reader: RawClient; writer: RawClient }> {
    const { url } = await startServer()
    const join = async (claims: object) => {
      const query = `?token=${await token(claims)}`
      const client = await connectRaw({ release, url, document, query, protocols: ['coedit.v1'] })
      await client.follow()
      return client
    }
    return { url, reader: await join(reading), writer: await join({}) }
  }

  test('shows the edits and the presence of others, and its own presence to them', async () => {
    const { reader, writer } = await readerAndWriter()
    writer.send(step2(edit('read me').update), presence({ clientId: 1, clock: 1, state: { name: 'writer' } }))
    reader.send(presence({ clientId: 2, clock: 1, state: { name: 'reader' } }))
    await reader.until('the edit came', () => textOf(reader).toString() === 'read me')
    const shows = (name: string) => (client: RawClient) =>
      client.all('presence').some(({ entries }) => entries.some(({ state }) => JSON.stringify(state).includes(name)))
    await reader.until('the writer is seen', () => shows('writer')(reader))
    await writer.until('the reader is seen', () => shows('reader')(writer))
  })

  test('tells who writes that it is refused, once, and keeps the connection', async () => {
    const { url, reader } = await readerAndWriter()
    reader.send(step2(edit('a').update), update(edit('b').update), update(edit('c').update))
    await reader.roundTrip()
    expect(reader.all('denied')).toHaveLength(1)
    expect(reader.acknowledged).toBeUndefined()
    const writer = await connectRaw({ release, url, document, query: `?token=${await token()}` })
    writer.send(update(edit('d').update))
    await reader.until('only what the writer wrote came', () => textOf(reader).toString() === 'd')
  })

  test('is not widened by asking for more, and writing is narrowed by asking for less', async () => {
    const { url } = await startServer()
    const open = async (claims: object, more: string) => {
      const client = await connectRaw({ release, url, document, query: `?token=${await token(claims)}${more}` })
      client.send(update(edit('x').update))
      await client.roundTrip()
      return client.all('denied').length
    }
    expect(await open(reading, '&access=write')).toBe(1)
    expect(await open({}, '&access=read')).toBe(1)
    expect(await open({}, '')).toBe(0)
  })
})

describe('R24 presence', () => {
  const claim = presence({ clientId: 7, clock: 1, state: { name: 'ada' } })
  const later = presence({ clientId: 7, clock: 2, state: { name: 'ada again' } })

  async function holderAndRival(rivalsUser: string): Promise<{ holder: RawClient; rival: RawClient }> {
    const { url } = await startServer()
    const open = async (sub: string) => {
      const client = await connectRaw({ release, url, document, query: `?token=${await token({ sub })}` })
      await client.follow()
      return client
    }
    const [holder, rival] = [await open('ada'), await open(rivalsUser)]
    holder.send(claim)
    await rival.until('the holder is seen', () => rival.all('presence').length > 0)
    return { holder, rival }
  }

  const seesAgain = (client: RawClient) =>
    client.all('presence').some(({ entries }) => JSON.stringify(entries).includes('ada again'))

  test('of the same user is taken over at once by another connection', async () => {
    const { holder, rival } = await holderAndRival('ada')
    rival.send(later)
    await holder.until('the rival has it', () => seesAgain(holder))
  })

  test('of another user stays with who is alive', async () => {
    const { holder, rival } = await holderAndRival('eve')
    rival.send(later)
    await rival.roundTrip()
    await holder.roundTrip()
    expect(seesAgain(holder)).toBe(false)
  })
})
